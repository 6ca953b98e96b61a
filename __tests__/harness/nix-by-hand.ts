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

/** A multi-user Nix, as root installs it; nix-daemon is not started. */
export async function installForAll(machine: Machine, release: NixTarball, settings: string): Promise<void> {
  const script = `set -e
    mkdir -p /nix/var/nix/profiles /etc/nix
    tar -xJf "$1" -C /nix --strip-components=1 --no-same-owner "$2/store" "$2/.reginfo"
    chmod -R a-w /nix/store/*
    groupadd --gid 30000 nixbld
    for n in 1 2; do useradd --uid 3000$n --gid nixbld --groups nixbld --no-create-home nixbld$n; done
    cat > /etc/nix/nix.conf
    "$3/bin/nix-store" --load-db < /nix/.reginfo
    rm /nix/.reginfo
    ln -s "$3" /nix/var/nix/profiles/default`
  const argv = ['sh', '-c', script, 'sh', release.file, basename(release.file, '.tar.xz'), release.storePath]
  const env = { ...machine.env, HOME: '/root' }
  await expect(machine.run(argv, { as: 'root', cwd: '/', env, stdin: `${settings}\nsubstituters =\n` }))
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
