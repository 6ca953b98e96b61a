import { runNix } from './cli.ts'
import type { Nix } from './model.ts'

/** Paths that are given to one command: a command line has an end. */
const most = 1000

/**
 * The store paths that no root holds, nor a process that works on them.
 * @throws Error when Nix cannot tell
 */
export async function deadPaths(nix: Nix): Promise<Set<string>> {
  const { code, stdout, stderr } = await runNix(nix, 'nix-store', ['--gc', '--print-dead'])
  if (code !== 0) throw new Error(`nix-store --gc --print-dead: ${stderr.trim().split('\n').at(-1)}`)
  return new Set(stdout.split('\n').filter(line => line.startsWith('/nix/store/')))
}

/**
 * Deletes paths, unless something has come to use them meanwhile.
 * @param paths each after all that refer to it
 * @returns why it did not delete all; undefined when it did
 */
export async function deletePaths(nix: Nix, paths: readonly string[]): Promise<string | undefined> {
  for (let at = 0; at < paths.length; at += most) {
    const { code, stderr } = await runNix(nix, 'nix-store', ['--delete', ...paths.slice(at, at + most)])
    if (code !== 0) return stderr.trim().split('\n').at(-1) ?? ''
  }
  return undefined
}
