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
 * Processes of GitHub's cache client: as many as are asked at a time, each of them again when it has answered well. One
 * that has nothing to do holds nobody up: it ends after a while, or when this process does.
 * @param client the built `cache-client.js`
 */
export function cacheClients(client: string, env: NodeJS.ProcessEnv) {
  const idle = new Map<Client, NodeJS.Timeout>()
  const take = (): Client | undefined => {
    const [found] = idle
    if (found === undefined) return undefined
    const [one, timer] = found
    clearTimeout(timer)
    idle.delete(one)
    return one
  }
  const putBack = (one: Client) => {
    one.holdUp(false)
    const timer = setTimeout(() => {
      idle.delete(one)
      one.dismiss()
    }, patience)
    idle.set(one, timer.unref())
    one.ended.catch(() => {}).finally(() => idle.delete(one))
  }
  return {
    /**
     * @param timeout milliseconds after which the process is killed, with the programs that it has started
     * @throws Error when there can be no process
     */
    async ask(request: EntryRequest, timeout: number): Promise<Heard> {
      for (;;) {
        const waiting = take()
        const one = waiting ?? startClient(client, env)
        const heard = await one.ask(request, timeout)
        // It may have died while it waited. What it had begun to save is not begun again.
        if (heard === 'ended' && waiting !== undefined && 'restore' in request) continue
        if (heard === 'ended') return gone('the cache client ended without an answer')
        if (heard === 'late') return gone(`the cache service did not answer within ${timeout / 1000} s`)
        // What is in trouble may go on speaking of it.
        if ('done' in heard.answer && !heard.said.some(isComplaint)) putBack(one)
        else one.dismiss()
        return heard
      }
    },
  }
}

const gone = (problem: string): Heard => ({ answer: { problem }, said: [] })
const isComplaint = (line: string) => /^::(warning|error)/.test(line)

type Client = ReturnType<typeof startClient>

function startClient(client: string, env: NodeJS.ProcessEnv) {
  const child = spawn(process.execPath, [client], {
    env: { ...withoutInputs(env), RUNNER_DEBUG: '' },
    stdio: ['ignore', 'pipe', 'ignore', 'ipc'],
    // A process group of its own, so that tar and zstd end with it.
    detached: true,
  })
  const ended = new Promise<'ended'>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => resolve('ended'))
  })
  // Whoever asks hears of it.
  ended.catch(() => {})
  // Of a child it is not known which kind of stream this is; there is none where there can be no process.
  const stdout = child.stdout as Socket | undefined
  let said: string[] = []
  let onEndOfWords = () => {}
  if (stdout !== undefined)
    createInterface({ input: stdout }).on('line', line => {
      if (line === endOfWords) onEndOfWords()
      else said.push(line)
    })
  const holdUp = (whether: boolean) => {
    for (const one of [child, child.channel, stdout]) whether ? one?.ref() : one?.unref()
  }
  return {
    ended,
    async ask(request: EntryRequest, timeout: number): Promise<Heard | 'ended' | 'late'> {
      holdUp(true)
      said = []
      const answered = new Promise<EntryAnswer>(resolve => {
        child.once('message', message => resolve(message as EntryAnswer))
      })
      const told = new Promise<void>(resolve => {
        onEndOfWords = resolve
      })
      let isLate = false
      const timer = setTimeout(() => {
        isLate = true
        kill(child)
      }, timeout)
      try {
        // One that has ended before it was asked ends without an answer.
        child.send?.(request, () => {})
        // They come on ways of their own, and either may be the last.
        const heard = await Promise.race([ended, Promise.all([answered, told])])
        if (isLate) return 'late'
        return heard === 'ended' ? heard : { answer: heard[0], said }
      } finally {
        clearTimeout(timer)
      }
    },
    /** Whether this process waits for that one. */
    holdUp,
    dismiss() {
      if (child.connected) child.disconnect()
    },
  }
}

function kill({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // It has just ended.
  }
}
