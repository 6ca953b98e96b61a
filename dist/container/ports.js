import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { UserError } from '../util/errors.js'
import { realSleep } from '../util/sleep.js'

/** Milliseconds between two looks. */
const interval = 50
/** Milliseconds for a connection. */
const patience = 1000

/**
 * Waits until something in a container listens on a TCP port, on whatever address of its own.
 * @throws UserError where that cannot be seen from here
 */
export async function waitForPort(container, port, signal) {
  for (;;) {
    const { id, pid, running, addresses } = await container.inspect()
    if (running && (await isHere(id, pid))) {
      while (!(await listens(pid, port))) await realSleep(interval, signal)
      return
    }
    for (const address of addresses) if (await connects(address, port)) return
    // One that has ended meanwhile cannot be seen either.
    if (running && addresses.length === 0 && (await container.inspect()).running) throw unseen(port)
    await realSleep(interval, signal)
  }
}

/**
 * Whether the container's first process is seen here under its number. Where the engine is on another machine, or this
 * job in a container, that number is somebody else's. What engines mount into a container has its id in its path.
 */
async function isHere(id, pid) {
  return (await readProc(pid, 'mountinfo')).includes(id)
}

async function listens(pid, port) {
  const tables = await Promise.all(['net/tcp', 'net/tcp6'].map(file => readProc(pid, file)))
  return tables.some(table => hasListener(table, port))
}

function readProc(pid, file) {
  return readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')
}

function unseen(port) {
  return new UserError(
    `\`wait: port ${port}\` cannot be done: from where this job runs the ports of the container cannot be seen.`,
    { advice: 'Wait for a line that the service prints: `wait: log Ready to accept connections`.' },
  )
}

/**
 * Whether a socket listens on a TCP port, by what the kernel says in /proc/PID/net/tcp or tcp6.
 * https://docs.kernel.org/networking/proc_net_tcp.html
 */
export function hasListener(table, port) {
  const listening = '0A'
  return table.split('\n').some(line => {
    const [, local = '', , state] = line.trim().split(/\s+/)
    return state === listening && Number.parseInt(local.slice(local.lastIndexOf(':') + 1), 16) === port
  })
}

function connects(host, port) {
  return new Promise(resolve => {
    const socket = connect({ host, port, timeout: patience })
    const done = connected => {
      socket.destroy()
      resolve(connected)
    }
    socket.on('connect', () => done(true))
    socket.on('timeout', () => done(false))
    socket.on('error', () => done(false))
  })
}
