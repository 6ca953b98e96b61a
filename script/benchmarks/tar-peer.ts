import type { CacheService } from '../../__tests__/harness/cache-service/service.ts'
import { measure, type Sample } from './sample.ts'
import type { Bench, Setting } from './setting.ts'
import type { TarAnswer, TarStep } from './tar-step.ts'

/**
 * Saves or restores the store as cache-nix-action does.
 * @throws Error when the outcome is another one than `outcome`
 */
export async function tar(
  { programs }: Setting,
  bench: Bench,
  service: CacheService,
  options: Pick<TarStep, 'do' | 'key'> & { readonly outcome: TarAnswer['outcome'] },
): Promise<Sample> {
  const { outcome, ...asked } = options
  return measure(bench.machine, service, async () => {
    const step: TarStep = { ...asked, closure: bench.closure }
    const answer = await bench.step<TarAnswer>(programs.tar, step, service)
    if (answer.outcome !== outcome) throw new Error(`the archive: ${answer.outcome}, not ${outcome}`)
    return answer.phases
  })
}
