import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { Job } from './tokens.ts'

export type Entry = {
  readonly id: number
  readonly repository: string
  /** The ref that it was saved for. */
  readonly scope: string
  readonly key: string
  readonly version: string
  readonly blob: string
  /** In bytes; 0 while it is only reserved. */
  size: number
  /** Only then it can be found. Until then its key is blocked. */
  finalized: boolean
  createdAt: string
  usedAt: string
  /** Place in the order in which entries were finalised and used: a clock can give two of them one time. */
  created: number
  used: number
}

export type EntriesOptions = {
  /** Where they are kept from one service to the next. */
  readonly file: string
  /** What the finalised entries of one repository may hold, in bytes. */
  readonly quota: number
  readonly now: () => Date
  /** Told of every entry that is gone. */
  readonly onRemove: (entry: Entry) => void
}

/** The entries of all repositories: immutable, scoped, bounded. Knows nothing of HTTP or of blobs. */
export class Entries {
  readonly #options: EntriesOptions
  #entries: Entry[]
  #sequence: number
  /** Entries finalised later than this are not found: see `freeze`. */
  #horizon = Infinity

  constructor(options: EntriesOptions) {
    this.#options = options
    this.#entries = load(options.file)
    this.#sequence = Math.max(0, ...this.#entries.flatMap(({ id, created, used }) => [id, created, used]))
  }

  /** Blocks a key for one ref and version; `undefined` when it is taken. */
  reserve(job: Job & { write: string }, key: string, version: string, blob: string): Entry | undefined {
    if (this.#find(job, key, version) !== undefined) return undefined
    const id = ++this.#sequence
    const time = this.#options.now().toISOString()
    const entry: Entry = {
      ...{ id, repository: job.repository, scope: job.write, key, version, blob },
      ...{ size: 0, finalized: false, createdAt: time, usedAt: time, created: id, used: id },
    }
    this.#entries.push(entry)
    this.#save()
    return entry
  }

  /** What the job has reserved and not finalised under this key. */
  reserved(job: Job, key: string, version: string): Entry | undefined {
    const entry = this.#find(job, key, version)
    return entry?.finalized === false ? entry : undefined
  }

  /** Makes an entry one that can be found, and drops others while the repository holds too much. */
  finalize(entry: Entry, size: number): void {
    entry.size = size
    entry.finalized = true
    entry.createdAt = this.#options.now().toISOString()
    entry.created = ++this.#sequence
    this.use(entry)
    this.#evict(entry.repository)
  }

  use(entry: Entry): void {
    entry.usedAt = this.#options.now().toISOString()
    entry.used = ++this.#sequence
    this.#save()
  }

  /**
   * The entry that a job gets for these keys: the job's scopes one after the other and in each the keys one after
   * the other, each first as it stands, then as the beginning of a key, the newest winning.
   */
  lookup(job: Job, keys: readonly string[], version: string): Entry | undefined {
    for (const scope of scopesOf(job)) {
      const candidates = this.list(job.repository)
        .filter(entry => entry.scope === scope && entry.version === version)
        .sort((a, b) => b.created - a.created)
      for (const key of keys) {
        const found =
          candidates.find(entry => entry.key === key) ?? candidates.find(entry => entry.key.startsWith(key))
        if (found !== undefined) return found
      }
    }
    return undefined
  }

  /** The entries that can be found, oldest first. */
  list(repository?: string): Entry[] {
    return this.#entries
      .filter(entry => entry.finalized && entry.created <= this.#horizon)
      .filter(entry => repository === undefined || entry.repository === repository)
      .sort((a, b) => a.created - b.created)
  }

  /** Also what is only reserved. */
  all(): readonly Entry[] {
    return this.#entries
  }

  remove(entry: Entry): void {
    this.#entries = this.#entries.filter(other => other !== entry)
    this.#save()
    this.#options.onRemove(entry)
  }

  /** From now on what is finalised is not found, as the live service takes a while to show it. */
  freeze(): void {
    this.#horizon = this.#sequence
  }

  thaw(): void {
    this.#horizon = Infinity
  }

  #find(job: Job, key: string, version: string): Entry | undefined {
    return this.#entries.find(
      entry =>
        entry.repository === job.repository &&
        entry.scope === job.write &&
        entry.key === key &&
        entry.version === version,
    )
  }

  #evict(repository: string): void {
    const leastUsedFirst = this.#entries
      .filter(entry => entry.finalized && entry.repository === repository)
      .sort((a, b) => a.used - b.used)
    let total = leastUsedFirst.reduce((sum, entry) => sum + entry.size, 0)
    for (const entry of leastUsedFirst) {
      if (total <= this.#options.quota) return
      total -= entry.size
      this.remove(entry)
    }
  }

  #save(): void {
    const { file } = this.#options
    writeFileSync(`${file}.new`, JSON.stringify(this.#entries, null, 1))
    renameSync(`${file}.new`, file)
  }
}

function scopesOf(job: Job): string[] {
  return [...(job.write === undefined ? [] : [job.write]), ...job.read]
}

function load(file: string): Entry[] {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
