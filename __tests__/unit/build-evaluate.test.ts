import assert from 'node:assert/strict'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { evaluate } from '../../src/build/flake.ts'
import { parseInstallable } from '../../src/build/installable.ts'
import { UserError } from '../../src/util/errors.ts'
import { silent } from '../../src/util/log.ts'

const hash = '0'.repeat(32)
const drv = `/nix/store/${hash}-x.drv`
const out = `/nix/store/${hash}-x`
const metadata = { path: `/nix/store/${hash}-source`, url: 'path:/f', locked: {}, resolved: { type: 'path' } }

/** Evaluates a flake of which Nix, here a script, says `description`. */
async function evaluated(t: TestContext, description: object) {
  const bin = await mkdtemp(join(tmpdir(), 'evaluate-'))
  t.after(() => rm(bin, { recursive: true }))
  await writeFile(join(bin, 'metadata'), JSON.stringify(metadata))
  await writeFile(join(bin, 'eval'), JSON.stringify(description))
  await writeFile(
    join(bin, 'nix'),
    '#!/bin/sh\ncase "$*" in *" flake metadata "*) cat "$BIN/metadata";; *" eval "*) cat "$BIN/eval";; esac\n',
  )
  await chmod(join(bin, 'nix'), 0o755)
  const printed: string[] = []
  const result = await evaluate({
    nix: { version: '2.34.8', bin, system: 'x86_64-linux', env: { PATH: '/usr/bin:/bin', BIN: bin } },
    installable: parseInstallable('.#x'),
    workspace: bin,
    args: [],
    log: { ...silent, info: message => printed.push(message) },
  })
  return { result, printed }
}

test('a derivation is described by its paths', async t => {
  const { result, printed } = await evaluated(t, { drv, name: 'x', wanted: ['out'], outputs: { out } })
  assert.deepEqual([result.drvPath, result.outputs, result.outPath, result.name], [drv, { out }, out, 'x'])
  assert.deepEqual(printed, [`x: ${out}`])
})

test('a name cannot be a workflow command', async t => {
  for (const name of ['x\n::set-output name=digest::y', 'x\r::error::y', '::error::y', '##[error]y']) {
    const { printed } = await evaluated(t, { drv, name, wanted: ['out'], outputs: { out } })
    for (const line of printed) assert.doesNotMatch(line, /[\r\n]|^\s*::|##\[/)
    assert.equal(printed.length, 1)
  }
})

test('what is not a derivation as Nix makes them is refused', async t => {
  const good = { drv, name: 'x', wanted: ['out'], outputs: { out } }
  for (const bad of [
    { drv: '--expr' },
    { drv: out },
    { drv: `/elsewhere${drv}` },
    { drv: `${drv}^out\n.drv` },
    { outputs: { out: '/etc/passwd' } },
    { outputs: { out: `${out}/../../etc` } },
    { outputs: { out: `${out}\n` } },
    { outputs: { out, 'a,b': out } },
    { outputs: { out, 'a\n::error::': out } },
    { wanted: ['a\n::error::b'] },
  ]) {
    await assert.rejects(
      evaluated(t, { ...good, ...bad }),
      (error: Error) =>
        error instanceof UserError && /\.#x is not a derivation that can be built/.test(error.message),
      JSON.stringify(bad),
    )
  }
})
