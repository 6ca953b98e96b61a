import { readdir, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { NixTarball } from '../../script/parts/paths.ts'
import type { Machine, RunResult } from './machine.ts'

/**
 * What single-user Nix needs, and a sandbox that fails rather than being left out.
 * Groups cannot be dropped in a user namespace with one user, where machines of ordinary users may have to be.
 */
export const plainConfig = `build-users-group =
require-drop-supplementary-groups = false
experimental-features = nix-command flakes
sandbox = true
sandbox-fallback = false
substituters =
`

/**
 * Installs a release in a machine without any code of the action, from where its tarball is unpacked already: that
 * takes longer than many a test. /nix must be the user's.
 * Gives an environment in which its programs run. Throws when a step fails.
 */
export async function installByHand(machine: Machine, release: NixTarball): Promise<Record<string, string>> {
  // Without this folder Nix takes a store in the home of a user who is not root.
  await expect(machine.run(['mkdir', '-p', '/nix/var/nix', '/nix/store']))
  const env = {
    ...machine.env,
    PATH: `${join(release.storePath, 'bin')}:${machine.env.PATH}`,
    NIX_CONFIG: plainConfig,
  }
  const copy = ['cp', '-a', '--no-preserve=ownership', `${release.store}/.`, '/nix/store']
  await expect(machine.run(copy))
  const paths = (await readdir(machine.path('/nix/store'))).map(name => join('/nix/store', name))
  await expect(machine.run(['chmod', '-R', 'a-w', ...paths]))
  const registration = await readFile(join(dirname(release.store), '.reginfo'))
  await expect(machine.run(['nix-store', '--load-db'], { env, stdin: registration }))
  return env
}

/** Gives the stdout of a command that must succeed. */
export async function expect(running: Promise<RunResult>): Promise<string> {
  const { code, signal, stdout, stderr } = await running
  if (code !== 0) throw new Error(`ended with ${code ?? signal}:\n${stdout}${stderr}`)
  return stdout
}
