import { join } from 'node:path'
import { partsBin } from '../../script/parts/paths.ts'
import type { Machine } from './machine.ts'
import { expect } from './nix-by-hand.ts'

/**
 * Starts a Docker daemon in a machine, as root and without network; it ends with the machine.
 * Gives a function that runs `docker` and returns its stdout, or throws with what it said.
 * @param options.elsewhere its processes have other numbers than in the machine, as those of a daemon outside of the
 *   container that a job runs in
 */
export async function startDockerd(
  machine: Machine,
  { elsewhere = false } = {},
): Promise<(...args: string[]) => Promise<string>> {
  const env = { ...machine.env, PATH: `${partsBin}:${machine.env.PATH}` }
  const up = Promise.withResolvers<void>()
  let said = ''
  const daemon = machine.start(
    [
      ...(elsewhere ? ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc', '--'] : []),
      ...[join(partsBin, 'dockerd'), '--iptables=false', '--ip6tables=false', '--bridge=none'],
    ],
    {
      as: 'root',
      env,
      onStderr: chunk => {
        said += chunk
        if (said.includes('API listen on')) up.resolve()
      },
    },
  )
  daemon.done.then(() => up.reject(new Error(`dockerd ended:\n${said}`)), up.reject)
  await up.promise
  return (...args) => expect(machine.run([join(partsBin, 'docker'), ...args], { as: 'root', env }))
}
