/** Work that waits for its turn under a name, so that it can be asked to come sooner. */
export type Queue = {
  /**
   * Runs `work` when its turn comes.
   * @param rank lower ones come first; among equals, whoever came first
   */
  run<T>(name: string, rank: number, work: () => Promise<T>): Promise<T>
  /** Gives what still waits under this name a rank that is at least as low. */
  hurry(name: string, rank: number): void
}

/** At most `count` pieces of work run at a time. */
export function queue(count: number): Queue {
  let running = 0
  const waiting: { readonly name: string; readonly rank: number; readonly go: () => void }[] = []
  const add = (one: (typeof waiting)[number]) => {
    const at = waiting.findIndex(({ rank }) => rank > one.rank)
    waiting.splice(at === -1 ? waiting.length : at, 0, one)
  }
  return {
    async run(name, rank, work) {
      if (running >= count) await new Promise<void>(go => add({ name, rank, go }))
      else running++
      try {
        return await work()
      } finally {
        const next = waiting.shift()
        if (next === undefined) running--
        else next.go()
      }
    },
    hurry(name, rank) {
      const at = waiting.findIndex(one => one.name === name && one.rank > rank)
      const [one] = at === -1 ? [] : waiting.splice(at, 1)
      if (one !== undefined) add({ ...one, rank })
    },
  }
}
