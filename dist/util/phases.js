/** Measures what a run spends its time on. Phases may overlap; each keeps its own wall time. */
export class Phases {
  #now
  #done = []

  /** @param now milliseconds on a clock that never goes back */
  constructor(now = () => performance.now()) {
    this.#now = now
  }

  async time(name, work) {
    const start = this.#now()
    try {
      return await work()
    } finally {
      this.#done.push({ name, seconds: (this.#now() - start) / 1000 })
    }
  }

  /** What has ended so far, also what ended by failing, in the order of its end. */
  list() {
    return [...this.#done]
  }
}
