import { spawn } from 'node:child_process'
import { constants } from 'node:os'

import { pipeline } from 'node:stream/promises'
import { StringDecoder } from 'node:string_decoder'

const graceMilliseconds = 10_000

/**
 * What a program is sent that shall end, and after how many milliseconds. Nix overlooks an interrupt that comes between
 * its looking for one and its waiting for a build, so it is interrupted twice. A cancelled step is killed after 10 s,
 * and has to say what it knows before that.
 */
const requests = [
  [0, 'SIGINT'],
  [1000, 'SIGINT'],
  [3000, 'SIGTERM'],
  [5000, 'SIGKILL'],
]

/** Bytes that are kept where somebody reads the lines: a build's log may be larger than a string can be. */
const tailBytes = 64 * 1024

/** Characters of a line; what is longer comes in several. */
const longestLine = 1024 * 1024

/**
 * Runs a program by argv, never through a shell, and prints nothing.
 * A non-zero exit is a result, not an exception. Throws when the program cannot be started.
 *
 * Not `@actions/exec`: there a program that ends before it has read its input takes the whole action with it
 * (EPIPE without a listener), and one that waits for input which nobody gives waits for ever.
 *
 * @param program a path, or a name that is looked for in the PATH of `options.env`
 */
export function exec(program, args, options) {
  const { input, cwd, env } = options
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd,
      env,
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    })
    const pending = []
    /** What was to be read cannot be had, and half of it is not to be taken for the whole. */
    let broken
    const fail = error => {
      broken = { error }
      child.kill('SIGKILL')
    }
    const interrupt = () => {
      for (const [after, signal] of requests) pending.push(setTimeout(() => child.kill(signal), after))
    }
    options.signal?.addEventListener('abort', interrupt)
    if (options.signal?.aborted) interrupt()
    const stdout = new Output(options.onStdoutLine)
    const stderr = new Output(options.onStderrLine)
    let grace
    child.stdout?.on('data', chunk => stdout.add(chunk))
    child.stderr?.on('data', chunk => stderr.add(chunk))
    // The exit code says more than a broken pipe.
    child.stdin?.on('error', () => {})
    if (input === undefined || Buffer.isBuffer(input)) child.stdin?.end(input)
    else if (child.stdin !== null) feed(child.stdin, input).catch(fail)
    child.on('error', error => {
      for (const timer of pending) clearTimeout(timer)
      reject(error)
    })
    const finish = (code, signal) => {
      clearTimeout(grace)
      for (const timer of pending) clearTimeout(timer)
      options.signal?.removeEventListener('abort', interrupt)
      const printed = { stdout: stdout.end(), stderr: stderr.end() }
      if (broken !== undefined) reject(broken.error)
      resolve({ code: code ?? 128 + (signal === null ? 0 : constants.signals[signal]), ...printed })
    }
    child.on('close', finish)
    // What the program left in the background may hold its pipes for ever.
    child.on('exit', (code, signal) => {
      grace = setTimeout(() => {
        child.off('close', finish)
        child.stdout?.destroy()
        child.stderr?.destroy()
        finish(code, signal)
      }, graceMilliseconds)
    })
  })
}

/** @throws what the input throws; a program that reads no more is no error */
async function feed(stdin, input) {
  let broken
  async function* source() {
    try {
      yield* input
    } catch (error) {
      broken = { error }
      throw error
    }
  }
  await pipeline(source, stdin).catch(() => {})
  if (broken !== undefined) throw broken.error
}

/** What a program writes: all of it, or its lines as they come and its end. */
class Output {
  #onLine
  #chunks = []
  #decoder = new StringDecoder('utf8')
  #bytes = 0
  #rest = ''

  constructor(onLine) {
    this.#onLine = onLine
  }

  add(chunk) {
    this.#chunks.push(chunk)
    if (this.#onLine === undefined) return
    this.#bytes += chunk.length
    while (this.#chunks.length > 1 && this.#bytes > tailBytes)
      this.#bytes -= this.#chunks.shift()?.length ?? 0
    const lines = (this.#rest + this.#decoder.write(chunk)).split(/\r?\n/)
    this.#rest = lines.pop() ?? ''
    if (this.#rest.length > longestLine) {
      lines.push(this.#rest)
      this.#rest = ''
    }
    for (const line of lines) this.#onLine(line)
  }

  end() {
    const rest = this.#rest + this.#decoder.end()
    if (rest !== '') this.#onLine?.(rest)
    return Buffer.concat(this.#chunks).toString()
  }
}
