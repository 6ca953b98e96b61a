/** Asks a store that is installed already: `node nix-cli.ts '<Nix as JSON>'`. Runs inside a machine. */
import { pathInfo, runNix } from '../../../src/nix/cli.ts'
import type { Nix } from '../../../src/nix/model.ts'

const nix: Nix = JSON.parse(process.argv[2] ?? '')
const absent = `/nix/store/${'0'.repeat(32)}-absent`

// Three thousand paths: a chain of a hundred, the rest alone.
const made = await runNix(
  nix,
  'nix-instantiate',
  ['--eval', '--read-write-mode', '--strict', '--json', '-'],
  {
    input: Buffer.from(`
    let
      chain = builtins.foldl' (all: n: all ++ [
        (builtins.toFile "chain" "\${toString n} \${toString (if all == [] then "" else builtins.elemAt all (n - 1))}")
      ]) [] (builtins.genList (n: n) 100);
      alone = builtins.genList (n: builtins.toFile "alone" (toString n)) 2900;
    in chain ++ alone`),
  },
)
if (made.code !== 0) throw new Error(made.stderr)
const paths: readonly string[] = JSON.parse(made.stdout)
const last = paths[99] ?? ''

const all = await pathInfo(nix, 'all')
const asked = await pathInfo(nix, [...paths, absent])
const closure = await pathInfo(nix, [last], { recursive: true })
const result = {
  all: all.size,
  asked: asked.size,
  sameAsAll: paths.every(path => JSON.stringify(all.get(path)) === JSON.stringify(asked.get(path))),
  closure: closure.size,
  last: asked.get(last),
  empty: (await pathInfo(nix, [])).size,
  valid: [asked.has(last), asked.has(absent)],
}
process.stdout.write(`RESULT ${JSON.stringify(result)}\n`)
