import { loadavg } from 'node:os'
import { figuresOf } from './figures.ts'
import { benchIndex } from './index-bench.ts'
import type { CacheResult, IndexResult, StoreResult } from './results.ts'
import { machineFacts, prepare } from './setting.ts'
import { benchStore } from './store-bench.ts'
import { describeStore } from './stores.ts'

export type CacheOptions = {
  readonly rounds: number
  /** Names of stores: see `parseSize`. */
  readonly sizes: readonly string[]
  readonly only: readonly ('save' | 'restore' | 'index')[]
  /** Told what is being done. */
  readonly say: (line: string) => void
}

const indexes = [1000, 2000, 5000, 10_000, 20_000, 40_000]

/** Measures the store cache beside what a user would pick instead. */
export async function benchCache({ rounds, sizes, only, say }: CacheOptions): Promise<CacheResult> {
  // What else runs here makes everything slower, and not all of it by the same.
  const load = loadavg()[0]?.toFixed(1) ?? ''
  await using setting = await prepare()
  const [save, restore] = [only.includes('save'), only.includes('restore')]
  const stores: StoreResult[] = []
  if (save || restore) {
    for (const size of sizes)
      stores.push(await benchStore(setting, describeStore(size), { rounds, save, restore, say }))
  }
  const index: IndexResult[] = []
  if (only.includes('index')) {
    say('indexes are opened')
    for (const paths of indexes) index.push(await benchIndex(setting, paths, rounds))
  }
  return {
    benchmark: 'cache',
    machine: machineFacts(setting, load),
    rounds,
    stores,
    index,
    figures: figuresOf(stores, index),
  }
}
