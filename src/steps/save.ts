import { collectStore } from '../cache/collect-store.ts'
import { nixEntry } from '../cache/nix-entry.ts'
import { saveCache } from '../cache/save.ts'
import type { SaveOptions } from '../cache/save-model.ts'
import { stopSubstituter } from '../cache/stop.ts'
import type { Inputs } from '../inputs/model.ts'
import { parseInputs } from '../inputs/parse.ts'
import { tagEvent, withCommitDate } from '../metadata/event.ts'
import { currentAccount, nixEnvironment } from '../nix/environment.ts'
import { isUsedByOthers } from '../nix/jobs.ts'
import { keepRelease, parseKept } from '../nix/keep.ts'
import type { Nix } from '../nix/model.ts'
import { systemOf } from '../nix/releases.ts'
import { excludedInJob, type Places, programs } from '../places.ts'
import type { LayerMemo } from '../registry/model.ts'
import { httpSender } from '../registry/transport.ts'
import { actionsCaches } from '../runner/caches.ts'
import { type Context, readContext } from '../runner/context.ts'
import { attempt, type Runner } from '../runner/runner.ts'
import { readState, type State } from '../state.ts'
import { postSummary } from '../summary/post.ts'
import { Phases } from '../util/phases.ts'
import { count, formatBytes } from '../util/text.ts'
import { hideSecrets } from './login.ts'
import { entriesFor, refsOf } from './store-cache.ts'

/** What post works with: what main has left, and what the runner says again. */
type Ending = {
  readonly runner: Runner
  readonly env: NodeJS.ProcessEnv
  readonly context: Context
  readonly inputs: Inputs
  readonly places: Places
  readonly state: State
  readonly phases: Phases
}

/** A reason by which the bound is one that this job does not fit into. */
const tooSmall = /^What this run used is more than|is too small for what this run used/

/** Ends the substituter, saves what this job added to the store cache, and keeps Nix for the next one. */
export async function save(places: Places, runner: Runner, env: NodeJS.ProcessEnv): Promise<void> {
  const phases = new Phases()
  const state = readState(places.folder)
  if (state === undefined) return
  const server = state.cache?.server
  const served = server === undefined ? undefined : await stopSubstituter(server)
  const context = await readContext(env)
  // Main has shown the inputs to be usable. No tag is made here, so any date will do for the commit's.
  const event = withCommitDate(tagEvent(context, env, new Date()), new Date())
  const inputs = parseInputs(name => runner.input(name), { system: systemOf(process.arch), event })
  hideSecrets(runner, inputs)
  const ending = { runner, env, context, inputs, places, state, phases }
  const saved =
    inputs.cache === 'true' && state.nix !== undefined && entriesFor(inputs, env, runner) !== undefined
      ? await phases.time('save the cache', () => saveStore(ending, state.nix, served))
      : undefined
  await attempt(runner, 'Nix was not kept for the next job', () =>
    keepNix(ending, saved?.outcome !== 'denied'),
  )
  await attempt(runner, 'The store was not collected', () => collect(ending))
  if (saved === undefined) return
  await runner.summary(postSummary(saved, { phases: phases.list(), seconds: phases.elapsed() }))
  for (const reason of saved.reasons) {
    if (saved.outcome === 'saved' && tooSmall.test(reason)) {
      runner.warning(`${reason} What does not fit is built again in each run: raise \`cache-size\`.`)
    } else runner.info(reason)
  }
  if (saved.outcome === 'denied') runner.info(`This job may only read the store cache: ${saved.why}`)
  if (saved.outcome === 'failed') runner.warning(`The store cache was not saved: ${saved.why}`)
}

async function saveStore(
  { inputs, context, places, state, env, runner }: Ending,
  known: State['nix'],
  served: Awaited<ReturnType<typeof stopSubstituter>>,
) {
  if (known === undefined) return undefined
  const { shared, closure, system } = known
  return await saveCache({
    nix: nixOf(known, places, env),
    system,
    scope: inputs.cacheScope,
    ...refsOf(context),
    cacheRef: context.cacheRef,
    foreign: context.foreign,
    api: apiFor(inputs, context, env),
    ...places,
    ...programs,
    key: state.cache?.key,
    base: state.cache?.base,
    started: state.started,
    shared,
    closure,
    exclude: await excludedInJob(places),
    outPaths: state.outPaths,
    costs: state.costs,
    layers: new Map(Object.entries(state.layers)) as LayerMemo,
    images: new Map(Object.entries(state.images)) as SaveOptions['images'],
    served,
    limit: inputs.cacheSize,
    upstream: inputs.cacheUpstream,
    publicKeys: inputs.trustedPublicKeys,
    env,
    log: runner,
  })
}

/** The GitHub token goes to GitHub's own API only. */
function apiFor({ githubToken: token }: Inputs, { apiUrl, repository }: Context, env: NodeJS.ProcessEnv) {
  if (token === '') return undefined
  return actionsCaches({ apiUrl, repository, token, send: httpSender(env) })
}

/** @param maySave false where the service has refused to take anything from this job */
async function keepNix(
  { inputs, context, places, state, env, runner, phases }: Ending,
  maySave: boolean,
): Promise<void> {
  if (state.keep === undefined) return
  const release = parseKept(state.keep)
  const store = inputs.cache === 'true' && maySave ? entriesFor(inputs, env, runner) : undefined
  const entry = store && nixEntry(store, release, places.folder)
  await phases.time('keep Nix', () => keepRelease(release, { toolCache: context.toolCache, entry }))
}

/** On a machine that outlives the job: the store stays within the bound of the cache. */
async function collect({ inputs, context, places, state, env, runner, phases }: Ending): Promise<void> {
  const { nix: known, started, costs } = state
  if (inputs.cache !== 'true' || known?.ours !== true || context.hosted) return
  const now = Date.now()
  if (await isUsedByOthers(places.folder, now))
    return runner.info('The store is not collected: another job uses it.')
  const collected = await phases.time('collect the store', () =>
    collectStore({
      ...{ nix: nixOf(known, places, env), closure: known.closure, folder: places.folder },
      ...{ started, costs, outPaths: state.outPaths },
      ...{ limit: inputs.cacheSize, now: Math.floor(now / 1000) },
    }),
  )
  if (collected.problem !== undefined)
    runner.info(`The store was not collected in full: ${collected.problem}`)
  if (collected.paths > 0)
    runner.info(`Collected ${count(collected.paths, 'path')} of the store (${formatBytes(collected.bytes)})`)
}

function nixOf(known: NonNullable<State['nix']>, places: Places, env: NodeJS.ProcessEnv): Nix {
  const { version, bin, system, ours } = known
  const environment = { env, account: currentAccount(), bin, certificates: undefined, ours }
  return { version, bin, system, env: nixEnvironment({ ...environment, confFile: places.confFile }) }
}
