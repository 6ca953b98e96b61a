import { spawn } from 'node:child_process'

import { createInterface } from 'node:readline'
import { withoutInputs } from '../util/environment.js'
import { endOfWords } from './client-model.js'

/** Milliseconds that a process is kept for the next request: to start one takes 0.2 s, to keep it 80 MB of memory. */
const patience = 3000

/**
 * Processes of GitHub's cache client: as many as are asked at a time, each of them again when it has answered. One that
 * has nothing to do holds nobody up: it ends after a while, or when this process does.
 * @param client the built `cache-client.js`
 */
export function cacheClients(client, env) {
  const idle = new Map()
  const take = () => {
    for (const [one, timer] of idle) {
      clearTimeout(timer)
      idle.delete(one)
      if (one.isThere()) return one
    }
    return startClient(client, env)
  }
  const putBack = one => {
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
    async ask(request, timeout) {
      const one = take()
      const heard = await one.ask(request, timeout)
      putBack(one)
      return heard
    },
  }
}

function startClient(client, env) {
  const child = spawn(process.execPath, [client], {
    env: { ...withoutInputs(env), RUNNER_DEBUG: '' },
    stdio: ['ignore', 'pipe', 'ignore', 'ipc'],
    // A process group of its own, so that tar and zstd end with it.
    detached: true,
  })
  // Of a child it is not known which kind of stream this is.
  const stdout = child.stdout
  let said = []
  let onEndOfWords = () => {}
  createInterface({ input: stdout }).on('line', line => {
    if (line === endOfWords) onEndOfWords()
    else said.push(line)
  })
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => resolve())
  })
  ended.catch(() => {})
  const holdUp = whether => {
    for (const one of [child, child.channel, stdout]) whether ? one?.ref() : one?.unref()
  }
  return {
    async ask(request, timeout) {
      holdUp(true)
      said = []
      let answer = { problem: 'the cache client ended without an answer' }
      // They come on ways of their own, and either may be the last.
      const answered = new Promise(resolve => {
        child.once('message', message => {
          answer = message
          resolve()
        })
      })
      const told = new Promise(resolve => {
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

function kill({ pid }) {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // It has just ended.
  }
}
