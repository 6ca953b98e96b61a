import { getExecOutput } from '@actions/exec'

export type ExecOptions = {
  readonly cwd?: string
  /** The whole environment of the program; nothing is added to it. */
  readonly env: Readonly<Record<string, string>>
  readonly input?: Buffer
  /** Called with each line of stderr, without its end, as it is written. */
  readonly onStderrLine?: (line: string) => void
}

export type ExecResult = { readonly code: number; readonly stdout: string; readonly stderr: string }

/**
 * Runs a program by argv, never through a shell, and prints nothing.
 * A non-zero exit is a result, not an exception. Throws when the program cannot be started.
 */
export async function exec(
  program: string,
  args: readonly string[],
  options: ExecOptions,
): Promise<ExecResult> {
  const { onStderrLine } = options
  const result = await getExecOutput(`"${program}"`, [...args], {
    silent: true,
    ignoreReturnCode: true,
    env: { ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.input === undefined ? {} : { input: options.input }),
    ...(onStderrLine === undefined ? {} : { listeners: { errline: onStderrLine } }),
  })
  return { code: result.exitCode, stdout: result.stdout, stderr: result.stderr }
}
