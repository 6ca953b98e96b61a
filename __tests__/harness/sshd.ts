import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { partsSsh } from '../../script/parts/paths.ts'
import { platform } from '../../script/parts/platform.ts'
import type { Machine } from './machine.ts'

const libraries = join(partsSsh, 'usr/lib', platform().triplet)
const env = { PATH: '/usr/bin:/bin', LD_LIBRARY_PATH: libraries }

/** Why there is no OpenSSH, or undefined when there is. */
export function sshUnavailable(): string | undefined {
  return existsSync(join(partsSsh, 'usr/sbin/sshd')) ? undefined : 'there is no OpenSSH among the parts'
}

export type KeyPair = { readonly secret: string; readonly public: string }

/** A new key pair, in the form in which ssh keeps it. */
export async function sshKeyPair(): Promise<KeyPair> {
  const folder = await mkdtemp(join(tmpdir(), 'ssh-key-'))
  try {
    const file = join(folder, 'key')
    const options = ['-q', '-t', 'ed25519', '-N', '', '-C', 'sample', '-f', file]
    await promisify(execFile)(join(partsSsh, 'usr/bin/ssh-keygen'), options, { env })
    return { secret: await readFile(file, 'utf8'), public: await readFile(`${file}.pub`, 'utf8') }
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** Puts a program `ssh` into a machine, whether its system has one or not. */
export async function plantSsh(machine: Machine): Promise<void> {
  const program = join(partsSsh, 'usr/bin/ssh')
  const script = `#!/bin/sh\nLD_LIBRARY_PATH=${libraries} exec ${program} "$@"\n`
  await machine.plant('/usr/local/bin/ssh', script, 0o755)
}

/**
 * Starts the real sshd in a machine, for its user, on a port of 127.0.0.1, which all machines share.
 * @param path PATH of what is run there
 */
export async function startSshd(
  machine: Machine,
  options: { readonly authorized: string; readonly path: string },
): Promise<{ readonly port: number; readonly host: KeyPair; readonly log: () => string }> {
  const folder = join(machine.user.home, 'sshd')
  const host = await sshKeyPair()
  const port = await freePort()
  // Newer versions are several programs, which look for each other at the paths of their package.
  const helpers = Object.entries({ SshdSessionPath: 'sshd-session', SshdAuthPath: 'sshd-auth' })
    .map(([name, file]) => [name, join(partsSsh, 'usr/lib/openssh', file)] as const)
    .filter(([, file]) => existsSync(file))
  const config = {
    Port: port,
    ListenAddress: '127.0.0.1',
    HostKey: join(folder, 'host'),
    PidFile: 'none',
    AuthorizedKeysFile: join(folder, 'authorized'),
    PasswordAuthentication: 'no',
    KbdInteractiveAuthentication: 'no',
    UsePAM: 'no',
    StrictModes: 'no',
    SetEnv: `PATH=${options.path}`,
    ...Object.fromEntries(helpers),
  }
  const lines = Object.entries(config).map(([name, value]) => `${name} ${value}\n`)
  await machine.plant(join(folder, 'config'), lines.join(''))
  await machine.plant(join(folder, 'host'), host.secret, 0o600)
  await machine.plant(join(folder, 'authorized'), options.authorized)
  let log = ''
  await new Promise<void>((resolve, reject) => {
    const { done } = machine.start(
      [join(partsSsh, 'usr/sbin/sshd'), '-D', '-e', '-f', join(folder, 'config')],
      {
        env: { ...machine.env, LD_LIBRARY_PATH: libraries },
        onStderr(text) {
          log += text
          if (log.includes('Server listening')) resolve()
        },
      },
    )
    done.then(() => reject(new Error(`sshd ended: ${log}`)), reject)
  })
  return { port, host, log: () => log }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  const address = server.address()
  await new Promise(done => server.close(done))
  return typeof address === 'object' && address !== null ? address.port : 0
}
