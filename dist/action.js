import { commitDate } from './build/revision.js'

import { substituterStats } from './cache/stop.js'

import { parseInputs } from './inputs/parse.js'

import { needsCommitDate, tagEvent, withCommitDate } from './metadata/event.js'
import { metadataInputs } from './metadata/metadata.js'

import { systemOf } from './nix/releases.js'
import { outputsOf } from './outputs.js'
import { folderState, makePlaces } from './places.js'

import { readContext } from './runner/context.js'
import { attempt } from './runner/runner.js'
import { newState, writeState } from './state.js'
import { build, evaluateAll } from './steps/build.js'
import { copyTo } from './steps/copy.js'
import { findByOutput, findBySource, publishKnown } from './steps/known.js'
import { findEngine } from './steps/load.js'
import { hideSecrets, logIn, whyUnpushed } from './steps/login.js'
import { withMachines } from './steps/machines.js'

import { configureNix, findSubstituters, installTheNix } from './steps/nix.js'
import { openTheCache } from './steps/store-cache.js'
import { publishIndex } from './steps/together.js'
import { mainSummary } from './summary/main.js'
import { adviceOf, inWords, messageOf, UserError } from './util/errors.js'
import { interruptible } from './util/interrupt.js'
import { Phases } from './util/phases.js'

/** The step itself. A failure is said in words; what is known by then is said all the same. */
export async function main(runner, env) {
  const report = { phases: [] }
  const phases = new Phases()
  let state
  await interruptible(async signal => {
    try {
      const job = await begin({ runner, env, phases, report, signal })
      state = job.state
      await run(job)
    } catch (thrown) {
      const error = signal.aborted ? new UserError('The job was cancelled.') : inWords(thrown)
      report.failure = failureOf(error, { phase: phases.failedBy(thrown), cancelled: signal.aborted })
      runner.fail(error)
    }
  })
  if (report.cache !== undefined) report.cache.fetched = await fetchedBy(state?.cache?.server)
  report.phases = phases.list()
  report.seconds = phases.elapsed()
  await attempt(runner, 'The outputs were not set', async () => {
    for (const [name, value] of outputsOf(report)) runner.output(name, value)
  })
  await attempt(runner, 'The summary was not written', () => runner.summary(mainSummary(report)))
}

/** What is asked for: all of it is checked before anything is touched. */
async function begin(given) {
  const { runner, env } = given
  if (process.platform !== 'linux') {
    throw new UserError('This action runs on Linux only.', { advice: 'Set `runs-on` to a Linux runner.' })
  }
  const context = await readContext(env)
  const system = systemOf(process.arch)
  const read = name => runner.input(name)
  const inputs = parseInputs(read, { system, event: await eventOf(read, context, env) })
  hideSecrets(runner, inputs)
  for (const warning of inputs.warnings) runner.warning(warning)

  const places = await makePlaces(context)
  runner.saveState(folderState, places.folder)
  const state = { ...newState, started: Math.floor(Date.now() / 1000) }
  const save = more => {
    try {
      writeState(places.folder, Object.assign(state, more))
    } catch (error) {
      runner.debug(`The state was not written: ${messageOf(error)}`)
    }
  }
  save({})
  return { ...given, context, system, inputs, places, state, save }
}

/** Git is asked only where the date of the commit may be wanted. */
async function eventOf(read, context, env) {
  const event = tagEvent(context, env, new Date())
  if (!needsCommitDate(metadataInputs.map(read))) return event
  return withCommitDate(event, await commitDate(event.sha, { workspace: context.workspace, env }))
}

async function run(job) {
  const { inputs, context, phases, report, signal } = job
  if (inputs.systems.length === 0) return await publishOthers(job)

  // Nix, the cache, whether the registry takes the credentials, and which binary caches answer: none waits for another,
  // but that only Nix knows whether it has a login for a cache that wants one.
  const opening = phases.time('open the cache', () => openTheCache(job))
  const loggingIn = phases.time('log in', () => logIn(job))
  const looking = Promise.all([opening, loggingIn]).then(found => findBySource(job, ...found))
  if (inputs.installNix === 'if-needed') {
    await Promise.allSettled([opening, loggingIn, looking])
    if (await publishedAs(job, await loggingIn, await looking)) return
  }
  const finding = findEngine(job)
  const installing = phases.time('install Nix', () => installTheNix(job))
  const asking = findSubstituters(job, installing)
  // When one fails the others end before the step does.
  await Promise.allSettled([opening, installing, loggingIn, asking, looking, finding])
  const registry = await loggingIn
  const engine = await finding
  const [opened, installed] = [await opening, await installing]
  // A daemon that does not trust this user takes nothing from a cache of ours.
  const cache = installed.conf.trusted ? opened : { ...opened, server: undefined }
  signal.throwIfAborted()
  await configureNix(job, installed, cache, await asking)
  if (await publishedAs(job, registry, await looking)) return

  const nix = { ...installed.nix, signal }
  const made = await withMachines(job, nix, async nix => {
    const made = await make(job, nix, cache, registry)
    if (made !== undefined && inputs.reproducible) {
      const { reproduce } = await import('./steps/reproduce.js')
      await reproduce(job, nix, made.built)
    }
    return made
  })
  if (made === undefined) return
  const { built, known } = made
  // Late: it is half of what there is to load, and a run in which nothing changed does not need it.
  const { examine, withImages } = await import('./steps/images.js')
  const { publish } = await import('./steps/publish.js')
  const { tellTrust } = await import('./steps/trust.js')
  const told = tellTrust(job, nix, cache, built)
  if (inputs.image !== undefined && registry === undefined) report.unpushed = whyUnpushed(inputs, context)
  const isWanted = registry !== undefined || engine !== undefined || inputs.check !== 'off' || inputs.sbom
  await withImages(job, nix, isWanted ? built.images : [], async images => {
    const examined = await examine(job, nix, engine, images)
    // Before the push: what is deployed from that store is there when the image is.
    await copyTo(job, nix, cache, built)
    if (inputs.image !== undefined) await publish(job, { nix, cache, registry, images: examined, known })
  }).finally(() => told)
}

/**
 * Builds what is asked for, but for images that are known.
 * @returns undefined when all of them were, and are published
 */
async function make(job, nix, cache, registry) {
  const wanted = await evaluateAll(job, nix)
  const known = await findByOutput(job, cache, registry, wanted.images)
  const images = wanted.images.filter(({ system }) => !known.some(one => one.system === system))
  const allKnown = known.length > 0 && images.length === 0
  // Also what else was asked for: where that fails, no tag is moved.
  const built = await build(job, nix, cache, { ...wanted, images })
  if (!allKnown) return { built, known }
  if (await publishedAs(job, registry, known)) return undefined
  return { built: await build(job, nix, cache, wanted), known: [] }
}

async function publishedAs(job, registry, known) {
  if (registry === undefined || known === undefined) return false
  return await job.phases.time('push', () => publishKnown(job, registry, known))
}

/** A job that builds nothing: what others have pushed becomes one image. */
async function publishOthers(job) {
  const { inputs, context, phases, report } = job
  const registry = await phases.time('log in', () => logIn(job))
  if (registry === undefined) report.unpushed = whyUnpushed(inputs, context)
  else await phases.time('publish', () => publishIndex(job, registry, []))
}

/** Packs travel whole, also for the sake of one path: what was used of them does not tell what came. */
async function fetchedBy(server) {
  const stats = server && (await substituterStats(server))
  return stats && { packs: stats.packs.fetched.length, bytes: stats.packs.bytes }
}

function failureOf(error, where) {
  const detail = error instanceof UserError ? error.detail : undefined
  return { message: messageOf(error), advice: adviceOf(error), detail, ...where }
}
