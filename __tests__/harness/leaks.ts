import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { lstat, mkdir, mkdtemp, open, readdir, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { createGunzip, createZstdDecompress } from 'node:zlib'
import { repository } from '../../script/parts/paths.ts'
import type { Machine } from './machine.ts'
import { harnessFolder, type JobEnd } from './runner/job.ts'
import type { StepResult } from './runner/step.ts'
import { secretForms } from './secret-forms.ts'

/** Secrets by the name that a leak is reported under. */
export type Secrets = Readonly<Record<string, string>>

/** Where to look. */
export type Place =
  | { readonly name: string; readonly text: string }
  /** Paths on the host, called in reports what follows `root`. */
  | { readonly name: string; readonly root: string; readonly files: readonly string[] }

export type Leak = {
  readonly secret: string
  /** `plain`, or how it is encoded. */
  readonly form: string
  /** Name of the place, and for a file its path and what it had to be taken out of. */
  readonly where: string
  /** Whether every user of the machine can read the file. */
  readonly readableByOthers?: boolean
}

/** A text that occurs nowhere by chance, with characters that encodings change. */
export function plantSecret(prefix = ''): string {
  return `${prefix}${randomBytes(12).toString('hex')}+/=${randomBytes(6).toString('hex')}`
}

/** All that a step printed and told the runner. */
export function placesOfStep(name: string, step: StepResult): Place[] {
  const { raw, summary, outputs, env, path, state } = step
  const told = Object.entries({ outputs, env, path, state })
  return [
    { name: `log of ${name}`, text: raw },
    { name: `summary of ${name}`, text: summary },
    ...told.map(([kind, value]) => ({ name: `${kind} of ${name}`, text: texts(value).join('\n') })),
  ]
}

function texts(value: object): string[] {
  return Object.entries(value).flat().map(String)
}

/** The arguments of all programs that a traced job executed. */
export function placeOfArguments({ executed }: JobEnd): Place {
  return { name: 'arguments', text: executed }
}

/** Everything below a folder of the host, such as a registry's storage. */
export async function placeOfFolder(name: string, root: string): Promise<Place> {
  return { name, root, files: await filesBelow(root) }
}

/** Every file of the machine that was made or changed since then, and so its whole /nix, home and /tmp. */
export async function placeOfMachine(machine: Machine, since: Date): Promise<Place> {
  // The repository is the host's, seen read-only.
  const skipped = ['/proc', '/sys', '/dev/pts', repository, harnessFolder]
    .flatMap(path => ['-o', '-path', path])
    .slice(1)
  const { stdout, code, stderr } = await machine.run(
    ['find', '/', '(', ...skipped, ')', '-prune', '-o'].concat([
      '(',
      '-type',
      'f',
      '-o',
      '-type',
      'l',
      ')',
      '-newerct',
      since.toISOString(),
      '-print0',
    ]),
    { as: 'root', cwd: '/' },
  )
  const files = stdout.split('\0').filter(Boolean)
  if (code !== 0 && files.length === 0) throw new Error(`find: ${stderr}`)
  return { name: 'machine', root: machine.path('/'), files: files.map(path => machine.path(path)) }
}

/**
 * Looks for each secret, as it is and encoded, in texts, file names, link targets and contents of files; also in
 * what is compressed with gzip or zstd and in compressed members of tar archives, at any depth.
 */
export async function findLeaks(secrets: Secrets, places: readonly Place[]): Promise<Leak[]> {
  const scratch = await mkdtemp(join(tmpdir(), 'leaks-'))
  try {
    const search = new Search(secrets, scratch)
    for (const place of places) {
      if ('text' in place) search.text(place.text, place.name)
      else
        for (const file of place.files)
          await search.file(file, `${place.name}: ${relative(place.root, file)}`, place.root)
    }
    return search.leaks
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

type Needle = { readonly secret: string; readonly form: string; readonly bytes: Buffer }

class Search {
  readonly leaks: Leak[] = []
  readonly #needles: readonly Needle[]
  readonly #scratch: string
  #scratched = 0

  constructor(secrets: Secrets, scratch: string) {
    this.#scratch = scratch
    this.#needles = Object.entries(secrets).flatMap(([secret, value]) =>
      [...secretForms(value)].map(([form, text]) => ({ secret, form, bytes: Buffer.from(text) })),
    )
  }

  text(text: string, where: string): void {
    const bytes = Buffer.from(text)
    for (const { secret, form, bytes: needle } of this.#needles)
      if (bytes.includes(needle)) this.leaks.push({ secret, form, where })
  }

  /** @param root folder above which nobody's right to look matters */
  async file(path: string, where: string, root: string): Promise<void> {
    const stats = await lstat(path).catch(() => undefined)
    if (stats === undefined) return
    this.text(where, `name of ${where}`)
    if (stats.isSymbolicLink()) return this.text(await readlink(path), `target of ${where}`)
    if (!stats.isFile()) return
    const before = this.leaks.length
    await this.#content(path, where)
    if (this.leaks.length === before) return
    const readableByOthers = (stats.mode & 0o004) !== 0 && (await foldersOpen(dirname(path), root))
    for (const leak of this.leaks.splice(before)) this.leaks.push({ ...leak, readableByOthers })
  }

  async #content(path: string, where: string): Promise<void> {
    const found = new Set<Needle>()
    const longest = Math.max(...this.#needles.map(({ bytes }) => bytes.length))
    let rest: Buffer = Buffer.alloc(0)
    for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) {
      const bytes = Buffer.concat([rest, chunk])
      for (const needle of this.#needles) if (bytes.includes(needle.bytes)) found.add(needle)
      rest = bytes.subarray(Math.max(0, bytes.length - longest))
    }
    for (const { secret, form } of found) this.leaks.push({ secret, form, where })
    const kind = await kindOf(path)
    if (kind === 'tar') await this.#members(path, where)
    else if (kind !== undefined) await this.#decompressed(path, kind, where)
  }

  async #decompressed(path: string, kind: 'gzip' | 'zstd', where: string): Promise<void> {
    const plain = join(this.#scratch, String(this.#scratched++))
    const decompress = kind === 'gzip' ? createGunzip() : createZstdDecompress()
    // What a broken stream gives until it breaks is looked at as well.
    await pipeline(createReadStream(path), decompress, createWriteStream(plain)).catch(() => {})
    await this.#content(plain, `${where} (${kind})`)
    await rm(plain)
  }

  /** Plain members were seen in the archive already. */
  async #members(path: string, where: string): Promise<void> {
    const folder = join(this.#scratch, String(this.#scratched++))
    await mkdir(folder)
    const options = ['--no-same-owner', '--mode=u+rwX', '--exclude=dev/*']
    await promisify(execFile)('tar', ['-xf', path, '-C', folder, ...options]).catch(() => {})
    for (const file of await filesBelow(folder)) {
      if (!(await lstat(file)).isFile() || (await kindOf(file)) === undefined) continue
      await this.#content(file, `${where} » ${relative(folder, file)}`)
    }
    await rm(folder, { recursive: true, force: true })
  }
}

async function kindOf(path: string): Promise<'gzip' | 'zstd' | 'tar' | undefined> {
  await using handle = await open(path)
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(512), 0, 512, 0)
  const head = buffer.subarray(0, bytesRead)
  if (head.subarray(0, 2).toString('hex') === '1f8b') return 'gzip'
  if (head.subarray(0, 4).toString('hex') === '28b52ffd') return 'zstd'
  return head.subarray(257, 262).toString() === 'ustar' ? 'tar' : undefined
}

async function foldersOpen(folder: string, root: string): Promise<boolean> {
  for (let at = folder; at.startsWith(root) && at !== dirname(at); at = dirname(at))
    if (((await lstat(at)).mode & 0o001) === 0) return false
  return true
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.filter(entry => !entry.isDirectory()).map(entry => join(entry.parentPath, entry.name))
}
