import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** What lies between a client and a server. A connection is open at once: no slow start, no TLS. */
export type Link = {
  /** Milliseconds that a request and its answer are on the way. */
  readonly roundTrip: number
  /** Bytes a second, each way: of one connection, and of all together. */
  readonly connection: number
  readonly total: number
}

export type Network = AsyncDisposable & {
  /** Of 127.0.0.1: what connects here is connected to the server, by the link. */
  readonly port: number
}

/** Puts a link before a server on this machine. What ends or breaks on one side does on the other. */
export async function startNetwork(to: number, link: Link): Promise<Network> {
  const sockets = new Set<Socket>()
  const [up, down] = [new Pace(link.total), new Pace(link.total)]
  const server = createServer({ allowHalfOpen: true, noDelay: true }, near => {
    const far = connect({ host: '127.0.0.1', port: to, allowHalfOpen: true, noDelay: true })
    const both = [near, far]
    for (const socket of both) sockets.add(socket)
    Promise.all([
      pipeline(near, delayed(link, up), far),
      pipeline(far, delayed(link, down), near),
      // An error is the other side's to see: as a connection that breaks.
    ])
      .catch(() => {})
      .finally(() => {
        for (const socket of both) {
          socket.destroy()
          sockets.delete(socket)
        }
      })
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise(done => server.close(done))
    },
  }
}

/** Tells when bytes have left that a line of some speed takes one after the other. */
export class Pace {
  readonly #perMillisecond: number
  #free = 0

  /** @param rate bytes a second */
  constructor(rate: number) {
    this.#perMillisecond = rate / 1000
  }

  /** Gives the millisecond in which the last of them leaves, if they are there at `now`. */
  take(bytes: number, now: number): number {
    this.#free = Math.max(this.#free, now) + bytes / this.#perMillisecond
    return this.#free
  }
}

function delayed({ roundTrip, connection }: Link, total: Pace): Transform {
  const own = new Pace(connection)
  let arriving: Promise<void> = Promise.resolve()
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const now = performance.now()
      const leaves = Math.max(own.take(chunk.length, now), total.take(chunk.length, now))
      // What is on the way does not keep the next from leaving.
      arriving = arriving.then(() => until(leaves + roundTrip / 2)).then(() => void this.push(chunk))
      until(leaves).then(() => done())
    },
    flush(done) {
      arriving.then(() => done())
    },
  })
}

/** A timer of Node.js is late by up to a millisecond: what is nearer is now, and what is late is made up for later. */
async function until(time: number): Promise<void> {
  const wait = time - performance.now()
  if (wait >= 1) await sleep(wait)
}
