import { type ChildProcess, spawn } from 'node:child_process'
import {
  accessSync,
  constants,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { partsSystem, readStamp, repository } from '../../script/parts/paths.ts'

export type MachineOptions = {
  /** Who runs commands: root, or uid 1001 with a home and sudo that asks for no password. */
  readonly user: 'root' | 'runner'
  /** Default: only root has none. */
  readonly sudo?: boolean
  /**
   * What is at /nix: an empty folder of root's (the default) or of the user's, or nothing.
   * With `absent` the host must have no /nix.
   */
  readonly nix?: 'root' | 'user' | 'absent'
  /** How much /nix can hold, as tmpfs takes it: `64m`. Default: half of the memory. */
  readonly nixSize?: string
  /** With false nothing in the machine can make a user namespace, so that Nix has no sandbox. */
  readonly userNamespaces?: boolean
  /** Paths of the host that are seen at the same place, read-only. The repository always is. */
  readonly binds?: readonly string[]
  /** Files to begin with, by absolute path; they belong to the user. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>
}

export type RunOptions = {
  /** The whole environment. Default: `machine.env`. */
  readonly env?: Readonly<Record<string, string>>
  /** Default: the user's home. */
  readonly cwd?: string
  readonly stdin?: string | Uint8Array
  /** Kills the command when it aborts. */
  readonly signal?: AbortSignal
  /** Default: the machine's user. */
  readonly as?: 'root'
  readonly onStdout?: (chunk: string) => void
  readonly onStderr?: (chunk: string) => void
}

export type RunResult = {
  /** Undefined when a signal ended the command. */
  readonly code: number | undefined
  readonly signal: NodeJS.Signals | undefined
  readonly stdout: string
  readonly stderr: string
}

/** A command that runs. */
export type Job = {
  /** When it has ended. Daemons that it left behind run on. */
  readonly done: Promise<RunResult>
  /**
   * SIGKILL (the default) hits the command and all it started that did not detach itself, as a runner that is lost
   * does. Any other signal goes to the command alone.
   */
  kill(signal?: NodeJS.Signals): void
}

type User = { readonly name: string; readonly uid: number; readonly home: string }

const users: Readonly<Record<MachineOptions['user'], User>> = {
  root: { name: 'root', uid: 0, home: '/root' },
  runner: { name: 'runner', uid: 1001, home: '/home/runner' },
}
const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

/**
 * A fresh machine for one test: the host's system as lowest layer, everything that is written in memory, processes in
 * a PID namespace of their own, the network the host's. When it is disposed of, or when the test's process dies in
 * whatever way, the kernel takes all of it away: nothing of it was ever in a file or mount of the host.
 *
 *     await using machine = await Machine.create({ user: 'runner' })
 *     const { code, stdout } = await machine.run(['id', '-un'])
 */
export class Machine implements AsyncDisposable {
  /** A plain environment for commands: HOME, USER, LOGNAME, PATH. */
  readonly env: Readonly<Record<string, string>>
  readonly user: User
  readonly #init: ChildProcess
  readonly #pid: number
  readonly #namespaces: readonly string[]
  readonly #jobs = new Set<Promise<unknown>>()

  private constructor(user: User, init: ChildProcess, pid: number, namespaces: readonly string[]) {
    this.user = user
    this.env = { HOME: user.home, USER: user.name, LOGNAME: user.name, PATH: path }
    this.#init = init
    this.#pid = pid
    this.#namespaces = namespaces
  }

  /** Why there can be no machine here, or undefined when there can be. */
  static unavailable(): string | undefined {
    if (process.platform !== 'linux') return 'test machines are made of Linux namespaces'
    if (process.getuid?.() !== 0) return 'test machines need root: run the tests with script/as-root'
    if (readStamp() === undefined) return 'the parts are not in place: run `node script/parts.ts`'
    return undefined
  }

  /** Whether the user that is not root can exist here: not in a user namespace that maps one user only. */
  static hasUsers(): boolean {
    return Machine.withoutUsers() === false
  }

  /** Why there can be no user but root, for a test's `skip`; false when there can be. */
  static withoutUsers(): string | false {
    const ranges = readFileSync('/proc/self/uid_map', 'utf8').trim().split('\n')
    const { uid } = users.runner
    const isMapped = ranges.some(range => {
      const [first = 0, , count = 0] = range.trim().split(/\s+/).map(Number)
      return first <= uid && uid < first + count
    })
    return isMapped ? false : `uid ${uid} is not mapped in this user namespace`
  }

  /** Why no container can be started in a machine, for a test's `skip`; false when one can be. */
  static withoutContainers(): string | false {
    const root = '/sys/fs/cgroup'
    const groups = existsSync(root) ? [root, ...readdirSync(root).map(name => join(root, name))] : []
    const writable = groups.some(group => {
      try {
        accessSync(group, constants.W_OK)
        return statSync(group).isDirectory()
      } catch {
        return false
      }
    })
    return writable ? false : `no control group can be made in ${root}`
  }

  /** Throws, with the reason, when no machine can be made. */
  static async create(options: MachineOptions): Promise<Machine> {
    const reason = Machine.unavailable()
    if (reason !== undefined) throw new Error(reason)
    const user = users[options.user]
    const withoutUsers = Machine.withoutUsers()
    if (user.uid !== 0 && withoutUsers !== false) throw new Error(withoutUsers)
    const nix = options.nix ?? 'root'
    const owner = nix === 'user' ? user.uid : 0
    const size = options.nixSize === undefined ? '' : `,size=${options.nixSize}`
    const nested = options.userNamespaces === false
    const namespaces = ['--mount', '--pid', ...(nested ? ['--user'] : [])]
    const flags = ['--fork', '--kill-child', '--propagation', 'private', ...(nested ? ['--keep-caps'] : [])]
    const program = join(import.meta.dirname, 'machine-init.sh')
    const init = spawn('unshare', [...namespaces, ...flags, '--', program], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: {
        PATH: path,
        LC_ALL: 'C',
        MACHINE_SYSTEM: partsSystem,
        MACHINE_BINDS: outermost([repository, process.execPath, ...(options.binds ?? [])]).join('\n'),
        MACHINE_NIX: nix === 'absent' ? '' : `mode=0755,uid=${owner},gid=${owner}${size}`,
        MACHINE_SUDO: (options.sudo ?? options.user !== 'root') ? 'yes' : 'no',
        MACHINE_USER: user.name,
        MACHINE_UID: String(user.uid),
        MACHINE_HOME: user.home,
        MACHINE_USER_NAMESPACES: nested ? 'no' : 'yes',
      },
    })
    const machine = new Machine(user, init, await ready(init), namespaces)
    // A machine that is not disposed of does not keep the tests from ending, and ends with them.
    for (const handle of [init, init.stdin, init.stdout, init.stderr])
      (handle as { unref(): void } | null)?.unref()
    try {
      for (const [file, content] of Object.entries(options.files ?? {})) await machine.plant(file, content)
    } catch (error) {
      await machine.dispose()
      throw error
    }
    return machine
  }

  /** Starts a command by argv and gives it at once. */
  start(argv: readonly string[], options: RunOptions = {}): Job {
    const uid = options.as === 'root' ? 0 : this.user.uid
    const enter = [
      '--target',
      `${this.#pid}`,
      ...this.#namespaces,
      '--setuid',
      `${uid}`,
      '--setgid',
      `${uid}`,
    ]
    const cwd = options.cwd ?? this.user.home
    // The environment goes the way that it always does, not by argv, where anyone could read it.
    const child = spawn('/usr/bin/nsenter', [...enter, '/usr/bin/env', '-C', cwd, '--', ...argv], {
      env: { ...(options.env ?? this.env) },
      stdio: [options.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      // A process group of its own, so that all of it can be killed at once.
      detached: true,
    })
    const output = { stdout: '', stderr: '' }
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      output.stdout += chunk
      options.onStdout?.(chunk)
    })
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      output.stderr += chunk
      options.onStderr?.(chunk)
    })
    // A command that does not read its input is no error.
    child.stdin?.on('error', () => {})
    child.stdin?.end(options.stdin)
    const kill = (signal: NodeJS.Signals = 'SIGKILL') => sendSignal(child, signal)
    const abort = () => kill()
    if (options.signal?.aborted === true) abort()
    options.signal?.addEventListener('abort', abort)
    const done = ended(child)
      .then(({ code, signal }) => ({ code, signal, ...output }))
      .finally(() => options.signal?.removeEventListener('abort', abort))
    const settled = done.catch(() => {})
    this.#jobs.add(settled)
    settled.then(() => this.#jobs.delete(settled))
    return { done, kill }
  }

  /** Runs a command to its end. A non-zero exit is a result, not an exception. */
  run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return this.start(argv, options).done
  }

  /**
   * Where the host sees a path of the machine, as long as the machine lives.
   * An absolute symlink met on the way would lead to the host's file: where one is possible, use `run` to look.
   */
  path(inside: string): string {
    return join(`/proc/${this.#pid}/root`, inside)
  }

  /** Writes a file, and the folders above it that do not exist; all of it belongs to the machine's user. */
  async plant(inside: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
    const { uid } = this.user
    const file = this.path(inside)
    const first = await mkdir(dirname(file), { recursive: true })
    for (let at = dirname(file); first !== undefined && at.length >= first.length; at = dirname(at)) {
      await chown(at, uid, uid)
    }
    await writeFile(file, content)
    await chmod(file, mode)
    await chown(file, uid, uid)
  }

  /** Ends every process of the machine and takes everything that it was away. Can be called again. */
  async dispose(): Promise<void> {
    this.#init.ref()
    const gone = new Promise<void>(done => {
      if (this.#init.exitCode !== null || this.#init.signalCode !== null) done()
      else this.#init.once('close', () => done())
    })
    this.#init.stdin?.end()
    const late = setTimeout(() => this.#init.kill('SIGKILL'), 5000)
    await gone
    clearTimeout(late)
    await Promise.all(this.#jobs)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose()
  }
}

/** Those of the paths that are not within another of them. */
function outermost(paths: readonly string[]): string[] {
  return paths.filter(path => !paths.some(other => path.startsWith(`${other}/`)))
}

/** The number by which the host knows the machine's first process, when that has everything in place. */
async function ready(init: ChildProcess): Promise<number> {
  let stderr = ''
  init.stderr?.setEncoding('utf8').on('data', chunk => {
    stderr += chunk
  })
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  init.once('error', reject)
  init.once('close', () => reject(new Error(`No test machine can be made here:\n${stderr.trim()}`)))
  if (init.stdout === null) throw new Error('stdout is not piped')
  createInterface(init.stdout).on('line', line => {
    const [word, pid] = line.split(' ')
    if (word === 'ready') resolve(Number(pid))
    if (word !== 'map') return
    for (const ids of ['uid', 'gid'])
      writeFileSync(`/proc/${pid}/${ids}_map`, sameIds(`/proc/self/${ids}_map`))
    init.stdin?.write('\n')
  })
  return await promise
}

/** For a new user namespace: every id that there is here is the same there. */
function sameIds(file: string): string {
  const ranges = readFileSync(file, 'utf8').trim().split('\n')
  const same = ranges.map(range => {
    const [first, , count] = range.trim().split(/\s+/)
    return `${first} ${first} ${count}\n`
  })
  return same.join('')
}

function sendSignal(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  if (signal === 'SIGKILL') {
    process.kill(-child.pid, signal)
    return
  }
  // nsenter waits for the command, its only child, and would die of the signal before it.
  const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
  for (const pid of children.split(' ').filter(Boolean)) process.kill(Number(pid), signal)
}

async function ended(child: ChildProcess): Promise<Pick<RunResult, 'code' | 'signal'>> {
  const closed = new Promise<void>(done => child.once('close', () => done()))
  const exited = await new Promise<Pick<RunResult, 'code' | 'signal'>>((done, fail) => {
    child.once('error', fail)
    child.once('exit', (code, signal) => done({ code: code ?? undefined, signal: signal ?? undefined }))
  })
  // A daemon may hold the pipes for as long as it lives; what the command itself wrote is read by then.
  const given = new AbortController()
  await Promise.race([closed, sleep(500, undefined, { signal: given.signal }).catch(() => {})])
  given.abort()
  child.stdout?.destroy()
  child.stderr?.destroy()
  return exited
}
