/** At most `count` pieces of work run at a time. */
export function queue(count) {
  let running = 0
  const waiting = []
  const add = one => {
    const at = waiting.findIndex(({ rank }) => rank > one.rank)
    waiting.splice(at === -1 ? waiting.length : at, 0, one)
  }
  return {
    async run(name, rank, work) {
      if (running >= count) await new Promise(go => add({ name, rank, go }))
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
