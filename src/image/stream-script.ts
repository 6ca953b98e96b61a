import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { messageOf, UserError } from '../util/errors.ts'
import { harmless } from '../util/harmless.ts'
import type { Log } from '../util/log.ts'

const tailLines = 20
const longestLine = 4096

/**
 * Runs the script that streamLayeredImage makes; what it writes on stdout is a docker archive.
 * @param sink reads stdout to its end; when it fails, the script is killed
 * @throws UserError when the script cannot be started or fails, with the end of its stderr as `detail`
 */
export async function runStreamScript(
  path: string,
  sink: (chunks: AsyncIterable<Uint8Array>) => Promise<void>,
  options: {
    readonly env: Readonly<Record<string, string>>
    readonly log: Log
    /** Kills the script. */
    readonly signal?: AbortSignal | undefined
  },
): Promise<void> {
  const { env, log, signal } = options
  const child = spawn(path, [], {
    ...{ env: { ...env }, stdio: ['ignore', 'pipe', 'pipe'], killSignal: 'SIGKILL' },
    ...(signal === undefined ? {} : { signal }),
  })
  const tail: string[] = []
  const stderr = eachLine(child.stderr, line => {
    log.debug(`${path}: ${line}`)
    tail.push(line)
    if (tail.length > tailLines) tail.shift()
  })
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>
  const parts = [sink(child.stdout), stderr, ended]
  try {
    await Promise.all(parts)
  } catch (error) {
    child.kill('SIGKILL')
    child.stdout.destroy()
    child.stderr.destroy()
    await Promise.allSettled(parts)
    if (child.pid !== undefined) throw error
    throw new UserError(`The image's script ${path} could not be started: ${messageOf(error)}.`, {
      advice: 'The interpreter in its first line must exist and fit this machine: build the image for it.',
      cause: error,
    })
  }
  const [code, endedBy] = await ended
  if (code === 0) return
  const how = code === null ? `was ended by ${endedBy}` : `ended with code ${code}`
  throw new UserError(`The image's script ${path} ${how}${tail.length === 0 ? ' and said nothing' : ''}.`, {
    detail: harmless(tail.join('\n')),
    advice: 'Build it by hand to see more: nix build, then ./result > image.tar.',
  })
}

/** Splits into lines without keeping more than `longestLine` characters of one. */
async function eachLine(chunks: AsyncIterable<Uint8Array>, use: (line: string) => void): Promise<void> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of chunks) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split(/\r?\n/)
    rest = (lines.pop() ?? '').slice(0, longestLine)
    for (const line of lines) use(line.slice(0, longestLine))
  }
  if (rest !== '') use(rest)
}
