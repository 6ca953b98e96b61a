import type { Derivation, Output, Run } from './history.ts'

/** What a run did with the cache: it had some outputs from it, and made others. */
export type Done = {
  readonly at: number
  readonly wanted: readonly Output[]
  /** Had from the cache, without what those refer to. */
  readonly substituted: ReadonlySet<Output>
  readonly built: ReadonlySet<Output>
}

/** A cache with a policy. */
export type Keeper = {
  has(output: Output): boolean
  /** The end of a run: what is kept of what there was and of what was made. */
  save(done: Done): void
  /** Bytes that it holds. */
  size(): number
  /** Bytes that were sent so far. */
  readonly uploaded: number
  /** Requests that rewriting took in the run that needed most. */
  readonly rewriteCalls: number
}

/**
 * Runs a history against a cache, as Nix would: what the cache has is had from there, and needs nothing else; what it
 * has not is built, and needs all of its inputs.
 */
export function simulate(history: readonly Run[], keeper: Keeper) {
  let seconds = 0
  for (const { at, wanted } of history) {
    const substituted = new Set<Output>()
    const built = new Set<Output>()
    const done = new Set<Derivation>()
    const queue = [...wanted]
    for (let output = queue.pop(); output !== undefined; output = queue.pop()) {
      if (substituted.has(output) || built.has(output)) continue
      const { derivation } = output
      if (!done.has(derivation) && keeper.has(output)) {
        substituted.add(output)
        continue
      }
      done.add(derivation)
      seconds += derivation.seconds
      for (const made of derivation.outputs) if (!substituted.has(made)) built.add(made)
      queue.push(...derivation.inputs)
    }
    keeper.save({ at, wanted, substituted, built })
  }
  return { seconds, uploaded: keeper.uploaded, rewriteCalls: keeper.rewriteCalls }
}
