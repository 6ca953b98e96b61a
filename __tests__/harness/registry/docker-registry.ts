import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { partsBin } from '../../../script/parts/paths.ts'

export type DockerRegistry = {
  /** Where it listens: the socket, or `127.0.0.1:PORT`. */
  readonly address: string
  stop(): Promise<void>
}

/**
 * Starts the real docker-registry.
 * @param socket a Unix socket to be made; undefined: a free port of 127.0.0.1
 * @param storage where it keeps what it is given
 * @param runtime an existing directory for its configuration
 * @throws Error with its last words when it does not start
 */
export async function startDockerRegistry(
  socket: string | undefined,
  storage: string,
  runtime: string,
): Promise<DockerRegistry> {
  const file = join(runtime, 'docker-registry.json')
  await writeFile(
    file,
    JSON.stringify({
      version: '0.1',
      log: { level: 'info', accesslog: { disabled: true } },
      storage: {
        filesystem: { rootdirectory: storage },
        delete: { enabled: true },
        maintenance: { uploadpurging: { enabled: false } },
      },
      http: socket === undefined ? { net: 'tcp', addr: '127.0.0.1:0' } : { net: 'unix', addr: socket },
    }),
  )
  // It ends with this process, in whatever way that ends.
  const registry = ['--pdeathsig', 'KILL', '--', join(partsBin, 'docker-registry')]
  const child = spawn('/usr/bin/setpriv', [...registry, 'serve', file], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {},
  })
  const ended = once(child, 'exit')
  const said: string[] = []
  const address = await new Promise<string>((resolve, reject) => {
    child.on('error', reject)
    child.on('exit', () => reject(new Error(`docker-registry ended:\n${said.slice(-5).join('\n')}`)))
    createInterface(child.stderr).on('line', line => {
      said.push(line)
      const [, listening] = /listening on ([^\s",]+)/.exec(line) ?? []
      if (listening !== undefined) resolve(listening)
    })
  })
  return {
    address,
    async stop() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
