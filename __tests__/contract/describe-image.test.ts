import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nixRelease } from '../../script/parts/paths.ts'
import { describeImage } from '../../src/build/description.ts'
import { Machine } from '../harness/machine.ts'
import { expect, installByHand } from '../harness/nix-by-hand.ts'

/** Derivations with the attributes that those of nixpkgs have, and some that look like them. */
const flake = `
  mk = name: attributes: derivation ({ inherit name; system = "x86_64-linux"; builder = "/bin/sh"; } // attributes);
  script = mk "stream" { };
  patched = mk "stream" { patch = 1; };
  conf = mk "app-conf.json" { };
  passed = { inherit conf; streamScript = script; };
  literally = by: mk "stream-app" { buildCommand = "makeWrapper \${by} $out --add-flags \${conf}"; };
  stream = mk "stream-app" (passed // { buildCommand = "makeWrapper $streamScript $out --add-flags $conf"; }) // passed;
  images = {
    stream = stream;
    "stream, older" = literally script // passed;
    "stream, without its script" = literally script // { inherit conf; };
    "stream that is built otherwise" = mk "stream-app" { inherit conf; } // { inherit conf; };
    layered = mk "app.tar.gz" { buildCommand = "\${stream} | gzip > $out"; } // { inherit stream; };
    "with a script of somebody else" = literally patched // passed;
    "with a conf of another image" = mk "stream-app" { buildCommand = "x"; } // { inherit conf; };
    "layered, of another stream" = mk "app.tar.gz" { buildCommand = "x"; } // { inherit stream; };
    "with a conf that is none" = mk "app" { } // { conf = { a = 1; }; };
    "with a conf that throws" = mk "app" { } // { conf = throw "no"; };
    plain = mk "app" { };
  };`

for (const release of Machine.unavailable() ? [] : nixRelease().releases) {
  test(`which images are built as the description of their layers, Nix ${release.version}`, async t => {
    const machine = await Machine.create({ user: 'root', nix: 'user' })
    t.after(() => machine.dispose())
    const env = await installByHand(machine, release)
    const expression = `let ${flake} f = ${describeImage}; in builtins.mapAttrs (_: f) (images // { number = 3; })`
    const answer = JSON.parse(
      await expect(machine.run(['nix', 'eval', '--json', '--expr', expression], { env })),
    )
    const names = Object.keys(answer).filter(name => 'conf' in answer[name])
    assert.deepEqual(names.sort(), [
      'layered',
      'stream',
      'stream that is built otherwise',
      'stream, older',
      'stream, without its script',
    ])
    for (const name of names) assert.equal(answer[name].conf.name, 'app-conf.json')
    assert.deepEqual(answer.number, { isA: 'int' })
    assert.deepEqual(Object.keys(answer.plain).sort(), ['drv', 'name', 'outputs', 'wanted'])
  })
}
