import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * Waits until no other process of this system holds the lock of that name, and takes it.
 * The lock is a socket without a file, so it goes with the process that holds it, however that ends.
 * @param onWait called once if another process has it
 */
export async function lock(name: string, onWait: () => void): Promise<Disposable> {
  for (let tries = 0; ; tries++) {
    const server = createServer()
    const taken = await new Promise<boolean>((resolve, reject) => {
      server.once('listening', () => resolve(false))
      server.once('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'EADDRINUSE') resolve(true)
        else reject(error)
      })
      server.listen(`\0${name}`)
    })
    if (!taken) return { [Symbol.dispose]: () => server.close() }
    if (tries === 0) onWait()
    await sleep(200)
  }
}
