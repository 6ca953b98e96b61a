import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { withoutInputs } from '../util/environment.ts'
import { type EntryAnswer, type EntryRequest, endOfWords } from './client-model.ts'

/** What the client's process answered, and the lines that it printed. */
export type Heard = { readonly answer: EntryAnswer; readonly said: readonly string[] }

/** Milliseconds that a process is kept for the next request: to start one takes 0.2 s, to keep it 80 MB of memory. */
const patience = 3000

/**
 * Processes of GitHub's cache client: as many as are asked at a time, each of them again when it has answered. One that
 * has nothing to do holds nobody up: it ends after a while, or when this process does.
 * @param client the built `cache-client.js`
 */
export function cacheClients(client: string, env: NodeJS.ProcessEnv) {
  const idle = new Map<Client, NodeJS.Timeout>()
  const take = () => {
    for (const [one, timer] of idle) {
      clearTimeout(timer)
      idle.delete(one)
      if (one.isThere()) return one
    }
    return startClient(client, env)
  }
  const putBack = (one: Client) => {
    if (!one.isThere()) return
    one.holdUp(false)
    const timer = setTimeout(() => {
      idle.delete(one)
      if (one.isThere()) one.dismiss()
    }, patience)
    idle.set(one, timer.unref())
  }
  return {
    /**
     * @param timeout milliseconds after which the process is killed, with the programs that it has started
     * @throws Error when there can be no process
     */
    async ask(request: EntryRequest, timeout: number): Promise<Heard> {
      const one = take()
      const heard = await one.ask(request, timeout)
      putBack(one)
      return heard
    },
  }
}

type Client = ReturnType<typeof startClient>

function startClient(client: string, env: NodeJS.ProcessEnv) {
  const child = spawn(process.execPath, [client], {
    env: { ...withoutInputs(env), RUNNER_DEBUG: '' },
    stdio: ['ignore', 'pipe', 'ignore', 'ipc'],
    // A process group of its own, so that tar and zstd end with it.
    detached: true,
  })
  // Of a child it is not known which kind of stream this is.
  const stdout = child.stdout as Socket
  let said: string[] = []
  let onEndOfWords = () => {}
  createInterface({ input: stdout }).on('line', line => {
    if (line === endOfWords) onEndOfWords()
    else said.push(line)
  })
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => resolve())
  })
  ended.catch(() => {})
  const holdUp = (whether: boolean) => {
    for (const one of [child, child.channel, stdout]) whether ? one?.ref() : one?.unref()
  }
  return {
    async ask(request: EntryRequest, timeout: number): Promise<Heard> {
      holdUp(true)
      said = []
      let answer: EntryAnswer = { problem: 'the cache client ended without an answer' }
      // They come on ways of their own, and either may be the last.
      const answered = new Promise<void>(resolve => {
        child.once('message', message => {
          answer = message as EntryAnswer
          resolve()
        })
      })
      const told = new Promise<void>(resolve => {
        onEndOfWords = resolve
      })
      const timer = setTimeout(() => {
        kill(child)
        answer = { problem: `the cache service did not answer within ${timeout / 1000} s` }
      }, timeout)
      // One that has ended before it was asked ends without an answer.
      child.send(request, () => {})
      await Promise.race([ended, Promise.all([answered, told])]).finally(() => clearTimeout(timer))
      return { answer, said }
    },
    /** Whether it can be asked once more. */
    isThere: () => child.connected && child.exitCode === null && child.signalCode === null,
    /** Whether this process waits for that one. */
    holdUp,
    dismiss: () => child.disconnect(),
  }
}

function kill({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // It has just ended.
  }
}
