import type { Difference } from './model.ts'

/** Passes differences on. @returns whether there were any */
export async function* any(differences: AsyncIterable<Difference>): AsyncGenerator<Difference, boolean> {
  let some = false
  for await (const difference of differences) {
    some = true
    yield difference
  }
  return some
}
