/** Measures what a run spends its time on. Phases may overlap; each keeps its own wall time. */
export class Phases {
  #now
  #began
  #done = []
  #thrown = new Map()

  /** @param now milliseconds on a clock that never goes back */
  constructor(now = () => performance.now()) {
    this.#now = now
    this.#began = now()
  }

  async time(name, work) {
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
  list() {
    return this.#done.toSorted((a, b) => a.start - b.start)
  }

  /** Seconds since measuring began. */
  elapsed() {
    return (this.#now() - this.#began) / 1000
  }

  /** The phase that ended by throwing this; undefined when none did. */
  failedBy(error) {
    return this.#thrown.get(error)
  }
}
