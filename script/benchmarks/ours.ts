import { join } from 'node:path'
import type { CacheService } from '../../__tests__/harness/cache-service/service.ts'
import type { RestoreStep, SaveStep, StepAnswer, Upstream } from './ours-step.ts'
import { measure, type Sample } from './sample.ts'
import type { Bench, Setting } from './setting.ts'

/** Brings store paths as main does: opens the cache, lets Nix have it, asks Nix for the paths. */
export async function restore(
  { programs }: Setting,
  bench: Bench,
  service: CacheService,
  wanted: readonly string[],
  upstream?: Upstream,
): Promise<Sample> {
  return measure(bench.machine, service, async () => {
    const step: RestoreStep = { do: 'restore', wanted, nix: nixOf(bench), upstream }
    return (await bench.step<StepAnswer>(programs.ours, step, service)).phases
  })
}

/**
 * Saves what is new in the store as post does.
 * @param outPaths what the job has built
 * @throws Error when the outcome is another one than `outcome`
 */
export async function save(
  { programs }: Setting,
  bench: Bench,
  service: CacheService,
  options: {
    readonly outPaths: readonly string[]
    readonly outcome: 'saved' | 'unchanged'
    readonly upstream?: Upstream
    readonly keepUpstream?: boolean
  },
): Promise<Sample> {
  const { outPaths, outcome, upstream, keepUpstream = false } = options
  const common = { nix: nixOf(bench), upstream, closure: bench.closure }
  // What main has opened before.
  const { key, folder } = await bench.step<StepAnswer>(programs.ours, { do: 'open', ...common }, service)
  return measure(bench.machine, service, async () => {
    const step: SaveStep = {
      do: 'save',
      ...common,
      keepUpstream,
      folder,
      outPaths,
      ...(key === undefined ? {} : { key }),
    }
    const answer = await bench.step<StepAnswer>(programs.ours, step, service)
    if (answer.outcome !== outcome)
      throw new Error(`the save ended as ${answer.outcome}, not ${outcome}: ${answer.why}`)
    return answer.phases
  })
}

function nixOf({ release: { version, storePath } }: Bench) {
  return { version, bin: join(storePath, 'bin') }
}
