import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Entries, Restored, Saved } from '../../../src/cache/entries.ts'

/** Time that passes only while everybody waits, so that minutes take no time and each run is the same. */
export class VirtualTime {
  now = 0
  #awake: number
  readonly #sleepers: { readonly at: number; readonly wake: () => void }[] = []

  /** @param people who wait or work; each says so when it ends */
  constructor(people: number) {
    this.#awake = people
  }

  sleep(milliseconds: number): Promise<void> {
    return new Promise(wake => {
      this.#sleepers.push({ at: this.now + milliseconds, wake })
      this.end()
    })
  }

  /** One who does not wait for anything any more. */
  end(): void {
    this.#awake--
    if (this.#awake > 0) return
    const [next] = this.#sleepers.sort((a, b) => a.at - b.at)
    if (next === undefined) return
    this.#sleepers.shift()
    this.#awake++
    this.now = next.at
    next.wake()
  }
}

export type ServiceTimes = {
  /** Milliseconds that an upload takes, of one who is slow or quick. */
  readonly upload: () => number
  /** Milliseconds until a lookup shows what was saved. */
  readonly lag: () => number
}

type Entry = { readonly folder: string; finalised: number | undefined; visible: number }

/**
 * The cache service's rules without its protocol: a key is given to one only and at once, and what was saved is found
 * some time after it was saved, the newest first.
 */
export class Service {
  readonly #folder = mkdtempSync(join(tmpdir(), 'service-'))
  readonly #entries = new Map<string, Entry>()
  readonly #time: VirtualTime
  readonly #times: ServiceTimes

  constructor(time: VirtualTime, times: ServiceTimes) {
    this.#time = time
    this.#times = times
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true })
  }

  /** What a job that was killed leaves. */
  block(key: string): void {
    this.#entries.set(key, { folder: '', finalised: undefined, visible: 0 })
  }

  keys(): string[] {
    return this.#entries
      .entries()
      .filter(([, { finalised }]) => finalised !== undefined)
      .map(([key]) => key)
      .toArray()
  }

  client(): Entries {
    let calls = 0
    const find = async (
      key: string,
      prefixes: readonly string[] = [],
    ): Promise<[string, Entry] | undefined> => {
      calls++
      await this.#time.sleep(100)
      const seen = [...this.#entries]
        .filter(([, { finalised, visible }]) => finalised !== undefined && visible <= this.#time.now)
        .sort(([, a], [, b]) => (b.finalised ?? 0) - (a.finalised ?? 0))
      const newest = seen.find(([other]) => prefixes.some(prefix => other.startsWith(prefix)))
      return seen.find(([other]) => other === key) ?? newest
    }
    const answer = (found: [string, Entry] | undefined): Restored =>
      found === undefined ? { outcome: 'missing' } : { outcome: 'restored', key: found[0] }
    return {
      find: async (_, key, prefixes) => answer(await find(key, prefixes)),
      restore: async (path, key, prefixes) => {
        const found = await find(key, prefixes)
        if (found !== undefined) {
          calls++
          await this.#time.sleep(200)
          mkdirSync(dirname(path), { recursive: true })
          cpSync(found[1].folder, path, { recursive: true })
        }
        return answer(found)
      },
      save: async (path, key): Promise<Saved> => {
        calls++
        await this.#time.sleep(100)
        if (this.#entries.has(key)) return { outcome: 'exists' }
        const folder = join(this.#folder, key)
        const entry: Entry = { folder, finalised: undefined, visible: 0 }
        this.#entries.set(key, entry)
        cpSync(path, folder, { recursive: true })
        await this.#time.sleep(this.#times.upload())
        calls += 2
        entry.finalised = this.#time.now
        entry.visible = this.#time.now + this.#times.lag()
        return { outcome: 'saved' }
      },
      get calls() {
        return calls
      },
    }
  }
}
