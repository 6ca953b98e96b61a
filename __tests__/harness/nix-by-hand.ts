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
  const registration = await readFile(registrationOf(release))
  await expect(machine.run(['nix-store', '--load-db'], { env, stdin: registration }))
  return env
}

/** A multi-user Nix, as root installs it; nix-daemon is not started. */
export async function installForAll(machine: Machine, release: NixTarball, settings: string): Promise<void> {
  const script = `set -e
    mkdir -p /nix/store /nix/var/nix/profiles /etc/nix
    cp -a --no-preserve=ownership "$1/." /nix/store
    chmod -R a-w /nix/store/*
    groupadd --gid 30000 nixbld
    for n in 1 2; do useradd --uid 3000$n --gid nixbld --groups nixbld --no-create-home nixbld$n; done
    cat > /etc/nix/nix.conf
    "$3/bin/nix-store" --load-db < "$2"
    ln -s "$3" /nix/var/nix/profiles/default`
  const argv = ['sh', '-c', script, 'sh', release.store, registrationOf(release), release.storePath]
  const env = { ...machine.env, HOME: '/root' }
  await expect(machine.run(argv, { as: 'root', cwd: '/', env, stdin: `${settings}\nsubstituters =\n` }))
}

function registrationOf({ store }: NixTarball): string {
  return join(dirname(store), '.reginfo')
}

export async function startDaemon(machine: Machine): Promise<void> {
  const env = { ...machine.env, HOME: '/root' }
  machine.start(['/nix/var/nix/profiles/default/bin/nix-daemon'], { as: 'root', cwd: '/', env })
  const wait = 'until [ -S /nix/var/nix/daemon-socket/socket ]; do sleep 0.01; done'
  await expect(machine.run(['sh', '-c', wait]))
}

/** Gives the stdout of a command that must succeed. */
export async function expect(running: Promise<RunResult>): Promise<string> {
  const { code, signal, stdout, stderr } = await running
  if (code !== 0) throw new Error(`ended with ${code ?? signal}:\n${stdout}${stderr}`)
  return stdout
}
