/**
 * Builds, and builds again what has to be: `node second-build.ts '<Nix as JSON>' FILE NAME`, where FILE is a Nix
 * expression. Runs inside a machine.
 */

import { parseInstallable } from '../../../src/build/installable.ts'
import { runNix } from '../../../src/nix/cli.ts'
import type { Nix } from '../../../src/nix/model.ts'
import { choose } from '../../../src/reproduce/choose.ts'
import { rebuild } from '../../../src/reproduce/rebuild.ts'
import { silent } from '../../../src/util/log.ts'

const [given = '', file = '', name = ''] = process.argv.slice(2)
const nix: Nix = JSON.parse(given)

const instantiated = await runNix(nix, 'nix-instantiate', [file, '--attr', name])
const drvPath = instantiated.stdout.trim().split('\n').at(-1) ?? ''
// What is there already stays as it came.
const made = await runNix(nix, 'nix-store', [
  '--realise',
  drvPath,
  '--option',
  'system-features',
  'one-of-its-own',
])
if (made.code !== 0) throw new Error(made.stderr)
const path = made.stdout.trim()

const { candidates, signed } = await choose(nix, [{ drvPath, path }])
const found: Record<string, unknown> = {}
for (const candidate of candidates) {
  const installables = [parseInstallable(`.#${name}`)]
  const options = { nix, workspace: process.cwd(), args: [], installables, source: undefined }
  const rebuilt = await rebuild(candidate, { ...options, log: silent, diffHook: '/bin/true' })
  const result = 'error' in rebuilt ? { ...rebuilt, error: rebuilt.error.message } : rebuilt
  found[candidate.drvPath.replace(/^.{44}/, '')] = result
}
process.stdout.write(`RESULT ${JSON.stringify({ path, found, signed })}\n`)
