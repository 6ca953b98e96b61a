import { spawn } from 'node:child_process'

import { createInterface } from 'node:readline'
import { withoutInputs } from '../util/environment.js'
import { endOfWords } from './client-model.js'

/** Milliseconds that a process is kept for the next request: to start one takes 0.2 s, to keep it 80 MB of memory. */
const patience = 3000

/**
 * Processes of GitHub's cache client: as many as are asked at a time, each of them again when it has answered well. One
 * that has nothing to do holds nobody up: it ends after a while, or when this process does.
 * @param client the built `cache-client.js`
 */
export function cacheClients(client, env) {
  const idle = new Map()
  const take = () => {
    const [found] = idle
    if (found === undefined) return undefined
    const [one, timer] = found
    clearTimeout(timer)
    idle.delete(one)
    return one
  }
  const putBack = one => {
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
    async ask(request, timeout) {
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

const gone = problem => ({ answer: { problem }, said: [] })
const isComplaint = line => /^::(warning|error)/.test(line)

function startClient(client, env) {
  const child = spawn(process.execPath, [client], {
    env: { ...withoutInputs(env), RUNNER_DEBUG: '' },
    stdio: ['ignore', 'pipe', 'ignore', 'ipc'],
    // A process group of its own, so that tar and zstd end with it.
    detached: true,
  })
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => resolve('ended'))
  })
  // Whoever asks hears of it.
  ended.catch(() => {})
  // Of a child it is not known which kind of stream this is; there is none where there can be no process.
  const stdout = child.stdout
  let said = []
  let onEndOfWords = () => {}
  if (stdout !== undefined)
    createInterface({ input: stdout }).on('line', line => {
      if (line === endOfWords) onEndOfWords()
      else said.push(line)
    })
  const holdUp = whether => {
    for (const one of [child, child.channel, stdout]) whether ? one?.ref() : one?.unref()
  }
  return {
    ended,
    async ask(request, timeout) {
      holdUp(true)
      said = []
      const answered = new Promise(resolve => {
        child.once('message', message => resolve(message))
      })
      const told = new Promise(resolve => {
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

function kill({ pid }) {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // It has just ended.
  }
}
