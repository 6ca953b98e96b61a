import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FlakeTemplate } from '../../../__tests__/harness/flake.ts'
import type { Machine } from '../../../__tests__/harness/machine.ts'
import { expect } from '../../../__tests__/harness/nix-by-hand.ts'
import { type RunOptions, World } from '../../../__tests__/harness/world.ts'
import type { Phase } from '../../../src/util/phases.ts'
import type { UnchangedResult, UnchangedSample, UnchangedScenario } from './results.ts'

/** Measures whole runs of the action's main step, as `dist/` has it, that publish what is published already. */
export async function benchUnchanged(options: {
  readonly rounds: number
  readonly template: FlakeTemplate
  readonly say: (line: string) => void
}): Promise<UnchangedResult> {
  const { rounds, template, say } = options
  await using world = await World.create({ template })
  const first = await world.run({ with: { image: '.#image' } })
  if (first.main.code !== 0) throw new Error(first.main.log)
  const samples: Record<UnchangedScenario, UnchangedSample[]> = {
    'output known': [],
    'source known': [],
    'source known, if-needed': [],
  }
  for (let round = 0; round < rounds; round++) {
    const runs: Readonly<Record<UnchangedScenario, RunOptions>> = {
      'output known': { change: (workspace, machine) => commit(workspace, machine, round) },
      'source known': {},
      'source known, if-needed': { with: { 'install-nix': 'if-needed' } },
    }
    for (const [scenario, run] of Object.entries(runs) as [UnchangedScenario, RunOptions][]) {
      const sample = await runOnce(world, run, scenario)
      const { seconds, afterNix } = sample
      say(`unchanged: ${round + 1}. ${scenario}: ${seconds.toFixed(2)} s, after Nix ${afterNix.toFixed(2)} s`)
      samples[scenario].push(sample)
    }
  }
  return samples
}

/** @throws Error when the run fails, or knew by something else than the scenario says */
async function runOnce(world: World, run: RunOptions, scenario: UnchangedScenario): Promise<UnchangedSample> {
  await using prepared = await world.prepare({ ...run, with: { image: '.#image', ...run.with } })
  world.registry.forget()
  const began = performance.now()
  const main = await prepared.main()
  const seconds = (performance.now() - began) / 1000
  if (main.code !== 0) throw new Error(main.log)
  const { details } = JSON.parse(main.outputs.metadata ?? '') as { readonly details: Details }
  if (!scenario.startsWith(`${details.push.images[0]?.known} known`))
    throw new Error(`${scenario}:\n${main.log}`)
  const installed = details.phases.find(({ name }) => name === 'install Nix')
  return {
    seconds,
    afterNix: details.seconds - (installed === undefined ? 0 : installed.start + installed.seconds),
    blobs: world.registry.count({ path: /\/blobs\// }),
    evaluated: details.phases.some(({ name }) => name === 'evaluate'),
  }
}

type Details = {
  readonly phases: readonly Phase[]
  readonly seconds: number
  readonly push: { readonly images: readonly { readonly known?: 'source' | 'output' }[] }
}

/** Another commit, of which the image is the same. */
async function commit(workspace: string, machine: Machine, round: number): Promise<void> {
  await appendFile(machine.path(join(workspace, 'flake.nix')), `# ${round}\n`)
  const who = ['-c', 'user.name=a', '-c', 'user.email=a@example.com']
  await expect(
    machine.run(['git', '-C', workspace, ...who, 'commit', '--quiet', '--all', '--message=Another']),
  )
}
