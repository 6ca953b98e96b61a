import { spawn } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/**
 * Runs a program by argv and gives what it wrote to stdout.
 * Throws with the end of its stderr when it cannot be started or exits non-zero (unless `tolerate`).
 */
export async function run(
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: Record<string, string | undefined>; tolerate?: boolean } = {},
): Promise<string> {
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: options.cwd,
    env: { ...process.env, LC_ALL: 'C', ...options.env },
  })
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout.on('data', chunk => stdout.push(chunk))
  child.stderr.on('data', chunk => stderr.push(chunk))
  const code = await new Promise<number | null>((done, fail) => {
    child.on('error', fail)
    child.on('close', done)
  })
  if (code !== 0 && options.tolerate !== true) {
    const tail = Buffer.concat(stderr).toString().trim().split('\n').slice(-8).join('\n')
    throw new Error(`${program} ${args[0] ?? ''} ended with ${code ?? 'a signal'}:\n${tail}`)
  }
  return Buffer.concat(stdout).toString()
}

/** Names of the given programs that are not in PATH. */
export function absent(programs: readonly string[]): string[] {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return programs.filter(
    program =>
      !folders.some(folder => {
        try {
          accessSync(join(folder, program), constants.X_OK)
          return true
        } catch {
          return false
        }
      }),
  )
}
