import { writeFile } from 'node:fs/promises'
import { availableParallelism, loadavg } from 'node:os'
import { join } from 'node:path'
import { commitAll } from '../../__tests__/harness/flake.ts'
import { startSigstore } from '../../__tests__/harness/sigstore/sigstore.ts'
import { githubToken, repositoryName, World } from '../../__tests__/harness/world.ts'
import type { Report } from '../../src/report.ts'
import { count } from '../../src/util/text.ts'
import { median } from './results.ts'
import { table } from './table.ts'

/** What is asked of a run. */
const kinds = {
  plain: {},
  proof: { provenance: 'true', sbom: 'true', sign: 'true' },
} as const
type Kind = keyof typeof kinds

/** Seconds of a run of the action's main step, from where the image was built on, and of its phases after that. */
type Sample = { readonly seconds: number; readonly phases: Readonly<Record<string, number>> }

export type ProofResult = {
  readonly benchmark: 'proof'
  readonly machine: Readonly<Record<string, string | number>>
  readonly rounds: number
  readonly images: readonly {
    readonly paths: number
    readonly samples: Readonly<Record<Kind, readonly Sample[]>>
  }[]
}

/** How many store paths an image has; undefined for what is no such number. */
export function parsePaths(size: string): number | undefined {
  return /^[1-9]\d{0,3}$/.test(size) ? Number(size) : undefined
}

/**
 * Measures what provenance, SBOM and signature add to a push: runs of `dist/` that build an image of many small store
 * paths and push it to an empty repository, with and without them, in turns. Registry and Sigstore are on this machine.
 */
export async function benchProof(options: {
  readonly rounds: number
  readonly sizes: readonly string[]
  readonly say: (line: string) => void
}): Promise<ProofResult> {
  const { rounds, sizes, say } = options
  const load = loadavg()[0]?.toFixed(1) ?? ''
  await using sigstore = await startSigstore()
  sigstore.githubToken(repositoryName, { token: githubToken, attestations: true })
  const images: ProofResult['images'][number][] = []
  for (const paths of sizes.map(size => parsePaths(size) ?? 0)) {
    await using world = await World.create({ template: 'paths' })
    await writeFile(join(world.flake, 'many.json'), `${paths}\n`)
    await commitAll({ dir: world.flake, message: 'As many as are asked for' })
    const samples: Record<Kind, Sample[]> = { plain: [], proof: [] }
    for (let round = 0; round < rounds; round++)
      // No two rounds in the same order: what comes first finds the machine otherwise than what comes last.
      for (const kind of (['plain', 'proof'] as const).toSorted(() => (round % 2 === 0 ? 0 : -1))) {
        const { main } = await world.run({
          env: sigstore.env,
          services: { GITHUB_API_URL: sigstore.url, ...sigstore.idTokens({ repository: repositoryName }) },
          with: {
            ...{ image: '.#image', name: `${world.registry.host}/org/${kind}-${round}` },
            ...{ cache: 'false', check: 'off', tags: 'main', ...kinds[kind] },
          },
        })
        if (main.code !== 0) throw new Error(main.log)
        const details: Details = JSON.parse(main.outputs.metadata ?? '').details
        // Nobody is quick by doing something else.
        const listed = main.log.includes(`: ${count(paths, 'store path')}:`)
        const said = [...(details.attested?.claims ?? []), ...(details.sbom ?? []).map(one => one.attached)]
        const added = said.filter(one => one?.added).length
        if (kind === 'proof' ? !listed || added !== 3 : listed || said.length > 0) throw new Error(main.log)
        const sample = afterBuild(details)
        say(`${paths} paths: ${round + 1}. ${kind}: ${sample.seconds.toFixed(2)} s`)
        samples[kind].push(sample)
      }
    images.push({ paths, samples })
  }
  const machine = { processors: availableParallelism(), 'load before': load }
  return { benchmark: 'proof', machine, rounds, images }
}

type Details = Pick<Report, 'attested' | 'sbom' | 'phases'> & { readonly seconds: number }

function afterBuild(details: Details): Sample {
  const built = details.phases.find(({ name }) => name === 'build')
  if (built === undefined) throw new Error('nothing was built')
  const end = built.start + built.seconds
  const later = details.phases.filter(({ start }) => start >= end)
  const phases: Record<string, number> = {}
  for (const { name, seconds } of later) phases[name] = (phases[name] ?? 0) + seconds
  return { seconds: details.seconds - end, phases }
}

/** The results for people, as markdown. Pure. */
export function renderProof({ machine, rounds, images }: ProofResult): string {
  const facts = Object.entries(machine).map(([name, value]) => `${name} ${value}`)
  const parts = images.map(({ paths, samples }) => {
    const over = (kind: Kind, of: (sample: Sample) => number) => median(samples[kind].map(of))
    const row = (name: string, of: (sample: Sample) => number) => {
      const [plain, proof] = [over('plain', of), over('proof', of)]
      return [name, ...[plain, proof, proof - plain].map(seconds => `${seconds.toFixed(2)} s`)]
    }
    const names = new Set([...samples.plain, ...samples.proof].flatMap(({ phases }) => Object.keys(phases)))
    const rows = [
      row('**all**', ({ seconds }) => seconds),
      ...[...names].map(name => row(name, ({ phases }) => phases[name] ?? 0)),
    ]
    return `## An image of ${paths} store paths\n\n${table(['after the build', 'without', 'with', 'added'], rows)}`
  })
  return `${[
    '# What provenance, SBOM and signature add to a push',
    `Medians of ${rounds === 1 ? '1 round' : `${rounds} rounds, in turns`}; ${facts.join(', ')}. Phases may be within others: \`push\` has \`attest\`.`,
    ...parts,
  ].join('\n\n')}\n`
}
