/**
 * Does with the store cache what a step of a job would, inside of a machine: what is asked comes as JSON by argv, the
 * answer goes as one line of JSON to stdout.
 */
import { bringAll } from '../../src/cache/bring.ts'
import { reach } from '../../src/cache/closure.ts'
import { hashOf } from '../../src/cache/model.ts'
import { openCache } from '../../src/cache/open.ts'
import { saveCache } from '../../src/cache/save.ts'
import { stopSubstituter } from '../../src/cache/stop.ts'
import { runNix } from '../../src/nix/cli.ts'
import { writeConf } from '../../src/nix/conf.ts'
import { currentAccount, nixEnvironment } from '../../src/nix/environment.ts'
import { makePlaces, placesIn, programs, removePlaces } from '../../src/places.ts'
import { Phases } from '../../src/util/phases.ts'
import { strictLog as log } from './strict-log.ts'

/** A public binary cache. Without `url` its paths are known by their signatures and cannot be had. */
export type Upstream = { readonly url?: string; readonly key: string }
type Common = {
  readonly nix: { readonly version: string; readonly bin: string }
  readonly upstream?: Upstream | undefined
}
export type RestoreStep = Common & { readonly do: 'restore'; readonly wanted: readonly string[] }
export type OpenStep = Common & { readonly do: 'open' }
export type SaveStep = Common & {
  readonly do: 'save'
  /** Where the cache was opened. */
  readonly folder: string
  /** Of the index that was opened. */
  readonly key?: string
  readonly closure: readonly string[]
  /** As the input `cache-upstream`. */
  readonly keepUpstream: boolean
  readonly outPaths: readonly string[]
}
export type StepAnswer = {
  readonly phases: Readonly<Record<string, number>>
  readonly folder: string
  readonly key?: string
  readonly outcome?: string
  readonly why?: string
}

const step: RestoreStep | OpenStep | SaveStep = JSON.parse(process.argv[2] ?? '')
const { env } = process
const system = 'x86_64-linux'
const scope = ''
const refs = { ref: 'refs/heads/main', bases: [] }
const phases = new Phases()
const places = step.do === 'save' ? placesIn(step.folder) : await makePlaces({ temp: env.RUNNER_TEMP ?? '' })
const nix = {
  ...{ ...step.nix, system },
  env: nixEnvironment({
    ...{ env, account: currentAccount(), bin: step.nix.bin, confFile: places.confFile },
    ...{ certificates: undefined, ours: true },
  }),
}

const answer =
  step.do === 'restore' ? await restore(step) : step.do === 'open' ? await open() : await save(step)
const listed = phases.list().map(({ name, seconds }) => [name, seconds])
process.stdout.write(
  `${JSON.stringify({ ...answer, folder: places.folder, phases: Object.fromEntries(listed) })}\n`,
)

async function restore({ wanted }: RestoreStep): Promise<Partial<StepAnswer>> {
  const { server, key, index } = await openIt()
  // As main does, which learns from the derivations what is needed.
  const needed = reach(wanted.map(hashOf), hash => index.paths.get(hash)?.references.map(hashOf))
  const paths = [...needed].flatMap(hash => index.paths.get(hash) ?? [])
  await phases.time('bring', () =>
    bringAll(paths, { nix, url: server?.url ?? '', fetch: async () => {}, log }),
  )
  await phases.time('substitute', async () => {
    const { code, stderr } = await runNix(nix, 'nix', ['build', '--no-link', ...wanted])
    if (code !== 0) throw new Error(stderr)
  })
  if (server !== undefined) await stopSubstituter(server)
  return key === undefined ? {} : { key }
}

async function open(): Promise<Partial<StepAnswer>> {
  const { server, key } = await openIt()
  if (server !== undefined) await stopSubstituter(server)
  return key === undefined ? {} : { key }
}

/** With the configuration by which Nix finds the cache. */
async function openIt() {
  const opened = await phases.time('open', () =>
    openCache({ system, scope, ...refs, ...places, ...programs, env, log }),
  )
  await writeConf(
    places.confFile,
    {
      ...{
        version: nix.version,
        withoutBuildUsers: true,
        sandbox: undefined,
        trusted: true,
        thrownAway: true,
      },
      ...{ substituter: opened.server?.url, ...upstreamOf(step) },
      extra: 'substituters =',
    },
    { token: undefined },
  )
  return opened
}

function upstreamOf({ upstream }: Common) {
  return {
    substituters: upstream?.url === undefined ? [] : [upstream.url],
    trustedPublicKeys: upstream === undefined ? [] : [upstream.key],
  }
}

async function save({
  key,
  closure,
  outPaths,
  keepUpstream,
  upstream,
}: SaveStep): Promise<Partial<StepAnswer>> {
  const { outcome, why } = await phases.time('save', () =>
    saveCache({
      ...{ nix, system, scope, ...refs, ...places, ...programs, env, log, key, closure, outPaths },
      ...{
        started: 0,
        shared: false,
        exclude: [],
        costs: {},
        layers: new Map(),

        images: new Map(),
        served: undefined,
      },
      ...{
        limit: 64 * 1024 ** 3,
        upstream: keepUpstream,
        publicKeys: upstream === undefined ? [] : [upstream.key],
        runId: '1',
        runAttempt: '1',
      },
    }),
  )
  await removePlaces(places)
  return { outcome, ...(why === undefined ? {} : { why }) }
}
