import { readdir, readFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
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
 * Installs a release in a machine as its documentation has it, without any code of the action: for tests of the
 * release and of the machine. /nix must be the user's.
 * Gives an environment in which its programs run. Throws when a step fails.
 */
export async function installByHand(machine: Machine, release: NixTarball): Promise<Record<string, string>> {
  // Without this folder Nix takes a store in the home of a user who is not root.
  await expect(machine.run(['mkdir', '-p', '/nix/var/nix']))
  const root = basename(release.file, '.tar.xz')
  const unpack = ['tar', '-xJf', release.file, '-C', '/nix', '--strip-components=1', '--no-same-owner']
  const env = {
    ...machine.env,
    PATH: `${join(release.storePath, 'bin')}:${machine.env.PATH}`,
    NIX_CONFIG: plainConfig,
  }
  await expect(machine.run([...unpack, `${root}/store`, `${root}/.reginfo`]))
  const paths = (await readdir(machine.path('/nix/store'))).map(name => join('/nix/store', name))
  await expect(machine.run(['chmod', '-R', 'a-w', ...paths]))
  const registration = await readFile(machine.path('/nix/.reginfo'))
  await expect(machine.run(['nix-store', '--load-db'], { env, stdin: registration }))
  return env
}

/** Gives the stdout of a command that must succeed. */
export async function expect(running: Promise<RunResult>): Promise<string> {
  const { code, signal, stdout, stderr } = await running
  if (code !== 0) throw new Error(`ended with ${code ?? signal}:\n${stdout}${stderr}`)
  return stdout
}
