import { execFile } from 'node:child_process'
import { chmod, copyFile, cp, lchown, mkdir, readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { partsBin, partsDebs, readStamp } from '../../script/parts/paths.ts'
import { plainDeb } from './deb.ts'

const run = promisify(execFile)

/** The folders of `__tests__/flakes`; each flake.nix says what it is. */
export type FlakeTemplate = 'busybox' | 'differs' | 'paths' | 'redis' | 'shells'

/** Sample packages whose files a template wants, in `debs/<package>`; what all share is in `debs/libs`. */
const packages: Record<FlakeTemplate, readonly string[]> = {
  busybox: [],
  differs: [],
  paths: [],
  redis: ['redis', 'python3', 'patchelf', 'zstd'],
  shells: [],
}

/**
 * Makes a flake that builds with nothing but itself: a template, the busybox that builds it and the packages it
 * unpacks, as a git repository with one commit, whose id depends on the content alone.
 * @param options.dir a folder that does not exist yet or is empty
 * @param options.owner uid and gid that all of it shall belong to, since git and Nix refuse other people's repositories
 * @throws Error when the parts were not brought in
 */
export async function materialise(options: {
  readonly template: FlakeTemplate
  readonly dir: string
  readonly owner?: number
}): Promise<void> {
  const { template, dir } = options
  const stamp = readStamp()
  if (!stamp) throw new Error('The parts are not in place: run `node script/parts.ts`')
  await cp(resolve(import.meta.dirname, '../flakes', template), dir, { recursive: true })
  await plantProgram(dir, 'busybox', 'busybox')
  if (template === 'differs')
    for (const name of ['archive.sh', 'image.sh', 'stream.sh', 'package.sh'])
      await copyFile(resolve(import.meta.dirname, '../flakes/busybox', name), join(dir, name))
  if (template === 'shells') {
    await plantProgram(dir, 'bash-static', 'bash')
    await plantProgram(join(dir, 'nixpkgs'), 'busybox', 'busybox')
    await plantProgram(join(dir, 'nixpkgs'), 'bash-static', 'bash')
  }

  const filesOf = (name: string) =>
    (name === 'redis' ? ['redis-server', 'redis-tools'] : [name]).flatMap(one => stamp.debs[one] ?? [])
  const shared = new Set(filesOf('redis').filter(file => !file.startsWith('redis-')))
  const groups = packages[template].map(
    name => [name, filesOf(name).filter(file => !shared.has(file))] as const,
  )
  if (groups.length > 0) groups.push(['libs', [...shared]])
  for (const [group, files] of groups) {
    await mkdir(join(dir, 'debs', group), { recursive: true })
    for (const file of new Set(files)) await plainDeb(join(partsDebs, file), join(dir, 'debs', group, file))
  }

  await firstCommit(options)
}

/** Makes a folder a git repository with one commit, whose id depends on the content alone. */
export async function firstCommit(options: { readonly dir: string; readonly owner?: number }): Promise<void> {
  const { dir } = options
  await git(dir, 'init', '--quiet', '--initial-branch=main')
  await git(dir, 'config', 'user.name', 'Sample')
  await git(dir, 'config', 'user.email', 'sample@example.invalid')
  // The packages are compressed already.
  await git(dir, 'config', 'core.compression', '0')
  await git(dir, 'config', 'gc.auto', '0')
  await commitAll({ ...options, message: 'A sample' })
}

/** Puts a program of the parts into `bin` of a folder, under a name. */
export async function plantProgram(dir: string, part: string, name: string): Promise<void> {
  await mkdir(join(dir, 'bin'), { recursive: true })
  await copyFile(join(partsBin, part), join(dir, 'bin', name))
  await chmod(join(dir, 'bin', name), 0o755)
}

/** Commits all that is in a flake's folder, as the same person at the same time whatever the machine. */
export async function commitAll(options: {
  readonly dir: string
  readonly message: string
  /** As for `materialise`. */
  readonly owner?: number
}): Promise<void> {
  const { dir, message, owner } = options
  await git(dir, 'add', '--all')
  await git(dir, 'commit', '--quiet', '--no-verify', `--message=${message}`)
  if (owner === undefined) return
  for (const name of ['', ...(await readdir(dir, { recursive: true }))])
    await lchown(join(dir, name), owner, owner)
}

async function git(dir: string, ...args: readonly string[]): Promise<void> {
  const date = '2024-01-01T00:00:00Z'
  const env = {
    PATH: process.env.PATH,
    HOME: dir,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_AUTHOR_DATE: date,
    GIT_COMMITTER_DATE: date,
  }
  await run('git', ['-c', 'safe.directory=*', ...args], { cwd: dir, env })
}
