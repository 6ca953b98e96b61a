import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import type { Contents } from '../contents.ts'
import { Bench, type Setting } from '../setting.ts'
import { type ImageFiles, type Sources, writeArchive, writeImage } from './files.ts'
import { amountOf, type ImageSpec } from './images.ts'
import type { Python } from './python.ts'
import { freshRegistry } from './registry.ts'
import { type Contender, type ImageResult, isOf, type PushSample, type Scenario } from './results.ts'
import { inspect, push } from './tools.ts'
import type { Use } from './use.ts'

export type ImageOptions = {
  readonly rounds: number
  readonly contenders: readonly Contender[]
  /** The first ones of all. */
  readonly scenarios: readonly Scenario[]
  readonly python: Python
  readonly contents: Contents
  readonly say: (line: string) => void
}

/** Measures all contenders with one image, in turns. */
export async function benchImage(
  setting: Setting,
  spec: ImageSpec,
  options: ImageOptions,
): Promise<ImageResult> {
  const { rounds, contenders, python, contents, say } = options
  await using bench = await Bench.create(setting)
  say(`${spec.name}: its store paths are made`)
  const files = await writeImage(bench, spec, contents)
  const archiving: Use[] = []
  const rows = contenders.flatMap(contender =>
    scenariosOf(contender, options).map(scenario => ({
      ...contender,
      scenario,
      samples: [] as PushSample[],
    })),
  )
  const inspections = (['store', 'archive'] as const).map(from => ({ from, samples: [] as Use[] }))
  const told = (what: string, { seconds, cpu }: Use) =>
    say(`${spec.name}: ${what}: ${seconds.toFixed(2)} s, CPU ${cpu.toFixed(2)} s`)
  if (options.scenarios.includes('changed')) await writeArchive(bench, python, files.changed)
  for (let round = 0; round < rounds; round++) {
    const archived = await writeArchive(bench, python, files.image)
    archiving.push(archived)
    told(`${round + 1}. archive`, archived)
    for (const { from, samples } of options.scenarios.includes('changed') ? inspections : []) {
      const use = await inspect({ bench, setting }, from === 'store' ? files.image.conf : files.image.archive)
      told(`${round + 1}. inspection, from the ${from}`, use)
      samples.push(use)
    }
    // No two rounds in the same order: what comes first finds the machine otherwise than what comes last.
    const first = (round * 3) % contenders.length
    for (const contender of [...contenders.slice(first), ...contenders.slice(0, first)]) {
      const { tool, from, compression } = contender
      const samples = await measure(setting, bench, contender, files, scenariosOf(contender, options))
      for (const [scenario, sample] of samples) {
        told(`${round + 1}. ${scenario}, ${tool} from the ${from}, ${compression}`, sample)
        rows.find(row => isOf(row, contender, scenario))?.samples.push(sample)
      }
    }
  }
  return { ...amountOf(spec), name: spec.name, archiving, rows, inspections }
}

/** On a fresh machine Docker has to load first, whatever the registry has. */
function scenariosOf({ tool }: Contender, { scenarios }: ImageOptions): readonly Scenario[] {
  return tool === 'docker' ? scenarios.slice(0, 1) : scenarios
}

/** One scenario after the other, in the same registry. */
async function measure(
  setting: Setting,
  bench: Bench,
  contender: Contender,
  files: ImageFiles,
  wanted: readonly Scenario[],
): Promise<Map<Scenario, PushSample>> {
  await using registry = await freshRegistry(setting, bench)
  const samples = new Map<Scenario, PushSample>()
  const tag = 'main'
  for (const scenario of wanted) {
    const sources = scenario === 'changed' ? files.changed : files.image
    const before = registry.size()
    const use = await push(contender, { setting, bench, sources, name: registry.name, tag })
    // Nobody is quick by pushing something else.
    assert.deepEqual(await registry.diffIds(tag), diffIdsOf(bench, sources))
    samples.set(scenario, { ...use, sent: registry.size() - before })
  }
  return samples
}

/** What the archive says of itself. */
function diffIdsOf({ machine }: Bench, { archive }: Sources): readonly string[] {
  const read = (member: string) =>
    JSON.parse(execFileSync('tar', ['-xOf', machine.path(archive), member], { encoding: 'utf8' }))
  const [{ Config }] = read('manifest.json')
  return read(Config).rootfs.diff_ids
}
