/** Runs at most `count` pieces of work at a time; the others wait in the order in which they came. */
export function limiter(count) {
  let running = 0
  const waiting = []
  return async work => {
    if (running >= count) await new Promise(resolve => waiting.push(resolve))
    else running++
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next === undefined) running--
      else next()
    }
  }
}
