import { collectStore } from '../cache/collect-store.js'
import { nixEntry } from '../cache/nix-entry.js'
import { saveCache } from '../cache/save.js'

import { stopSubstituter } from '../cache/stop.js'

import { parseInputs } from '../inputs/parse.js'
import { tagEvent, withCommitDate } from '../metadata/event.js'
import { currentAccount, nixEnvironment } from '../nix/environment.js'
import { isUsedByOthers } from '../nix/jobs.js'
import { keepRelease, parseKept } from '../nix/keep.js'

import { systemOf } from '../nix/releases.js'
import { excludedInJob, programs } from '../places.js'

import { httpSender } from '../registry/transport.js'
import { actionsCaches } from '../runner/caches.js'
import { readContext } from '../runner/context.js'
import { attempt } from '../runner/runner.js'
import { readState } from '../state.js'
import { postSummary } from '../summary/post.js'
import { Phases } from '../util/phases.js'
import { count, formatBytes } from '../util/text.js'
import { hideSecrets } from './login.js'
import { entriesFor, refsOf } from './store-cache.js'

/** A reason by which the bound is one that this job does not fit into. */
const tooSmall = /^What this run used is more than|is too small for what this run used/

/** Ends the substituter, saves what this job added to the store cache, and keeps Nix for the next one. */
export async function save(places, runner, env) {
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

async function saveStore({ inputs, context, places, state, env, runner }, known, served) {
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
    layers: new Map(Object.entries(state.layers)),
    images: new Map(Object.entries(state.images)),
    served,
    limit: inputs.cacheSize,
    upstream: inputs.cacheUpstream,
    publicKeys: inputs.trustedPublicKeys,
    env,
    log: runner,
  })
}

/** The GitHub token goes to GitHub's own API only. */
function apiFor({ githubToken: token }, { apiUrl, repository }, env) {
  if (token === '') return undefined
  return actionsCaches({ apiUrl, repository, token, send: httpSender(env) })
}

/** @param maySave false where the service has refused to take anything from this job */
async function keepNix({ inputs, context, places, state, env, runner, phases }, maySave) {
  if (state.keep === undefined) return
  const release = parseKept(state.keep)
  const store = inputs.cache === 'true' && maySave ? entriesFor(inputs, env, runner) : undefined
  const entry = store && nixEntry(store, release, places.folder)
  await phases.time('keep Nix', () => keepRelease(release, { toolCache: context.toolCache, entry }))
}

/** On a machine that outlives the job: the store stays within the bound of the cache. */
async function collect({ inputs, context, places, state, env, runner, phases }) {
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

function nixOf(known, places, env) {
  const { version, bin, system, ours } = known
  const environment = { env, account: currentAccount(), bin, certificates: undefined, ours }
  return { version, bin, system, env: nixEnvironment({ ...environment, confFile: places.confFile }) }
}
