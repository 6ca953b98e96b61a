/** `start` counts from when measuring began. Both in seconds. */
export type Phase = {
  readonly name: string
  readonly start: number
  readonly seconds: number
  /** It ended by an error that came from no phase within it. */
  readonly failed?: true
}

/** Measures what a run spends its time on. Phases may overlap; each keeps its own wall time. */
export class Phases {
  readonly #now: () => number
  readonly #began: number
  readonly #done: Phase[] = []
  readonly #thrown = new Map<unknown, string>()

  /** @param now milliseconds on a clock that never goes back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
    this.#began = now()
  }

  async time<T>(name: string, work: () => Promise<T>): Promise<T> {
    const start = this.elapsed()
    let failed = false
    try {
      return await work()
    } catch (error) {
      failed = !this.#thrown.has(error)
      if (failed) this.#thrown.set(error, name)
      throw error
    } finally {
      const seconds = this.elapsed() - start
      this.#done.push({ name, start, seconds, ...(failed ? { failed } : {}) })
    }
  }

  /** What has ended so far, also what ended by failing, in the order of its start. */
  list(): readonly Phase[] {
    return this.#done.toSorted((a, b) => a.start - b.start)
  }

  /** Seconds since measuring began. */
  elapsed(): number {
    return (this.#now() - this.#began) / 1000
  }

  /** The phase that ended by throwing this; undefined when none did. */
  failedBy(error: unknown): string | undefined {
    return this.#thrown.get(error)
  }
}
