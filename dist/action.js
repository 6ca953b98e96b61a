import { evaluate, realise } from './build/flake.js'
import { parseInstallable } from './build/installable.js'
import { entries, hasCacheService } from './cache/entries.js'
import { emptyIndex, sizeOf } from './cache/model.js'
import { nixEntry } from './cache/nix-entry.js'
import { openCache } from './cache/open.js'
import { saveCache } from './cache/save.js'

import { stopSubstituter } from './cache/stop.js'
import { openImage } from './image/open.js'
import { isStreamScript } from './image/stream-script.js'
import { parseInputs } from './inputs.js'
import { tagsFor } from './metadata/tags.js'
import { removeToken, writeConf } from './nix/conf.js'
import { currentAccount, nixEnvironment } from './nix/environment.js'
import { installNix } from './nix/install.js'
import { keepRelease, parseKept } from './nix/keep.js'
import { selectRelease, systemOf } from './nix/releases.js'
import { outputsOf } from './outputs.js'
import { exclude, excludedInJob, makePlaces, placesIn, programs, removePlaces } from './places.js'

import { registryClient } from './registry/client.js'
import { memoKey } from './registry/layers.js'

import { pushImage } from './registry/push.js'
import { parseName } from './registry/reference.js'
import { buildReport, cacheStatus } from './report.js'
import { readContext } from './runner/context.js'

import { readState, writeState } from './state.js'
import { mainSummary, postSummary } from './summary.js'
import { codeOf, messageOf, UserError } from './util/errors.js'
import { interruptible } from './util/interrupt.js'
import { Phases } from './util/phases.js'

/** The step itself. A failure is said in words; what is known by then is said all the same. */
export async function main(runner, env) {
  const report = { phases: [] }
  const phases = new Phases()
  await interruptible(async signal => {
    try {
      await run(runner, env, phases, report, signal)
    } catch (thrown) {
      const error = signal.aborted ? new UserError('The job was cancelled.') : inWords(thrown)
      report.failure = messageOf(error)
      runner.fail(error)
    }
  })
  report.phases = phases.list()
  await attempt(runner, 'The outputs were not set', async () => {
    for (const [name, value] of outputsOf(report)) runner.output(name, value)
  })
  await attempt(runner, 'The summary was not written', () => runner.summary(mainSummary(report)))
}

async function run(runner, env, phases, report, signal) {
  // What is asked for: all of it is checked before anything is touched.
  if (process.platform !== 'linux') {
    throw new UserError('This action runs on Linux only.', { advice: 'Set `runs-on` to a Linux runner.' })
  }
  const context = await readContext(env)
  const system = systemOf(process.arch)
  const inputs = parseInputs(name => runner.input(name), { system, platform: platformOf(system) })
  hideSecrets(runner, inputs)
  const tags = tagsFor(inputs.tags, context)
  const image = inputs.image === undefined ? undefined : parseInstallable(inputs.image)
  const warm = inputs.warm.map(parseInstallable)
  const release = selectRelease(inputs.nixVersion, inputs.nixSha256, system)
  const client = clientFor(inputs, context, env, runner)

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

  const store = entriesFor(inputs, env, runner, releaseTimeout)
  // Nix, the cache, and whether the registry takes the credentials: none waits for the others.
  const opening = phases.time('open the cache', async () => {
    const opened = await openTheCache(inputs, context, places, env, runner)
    save({ cache: { key: opened.key, server: opened.server } })
    return opened
  })
  const installing = phases.time('install Nix', async () => {
    const done = await installNix({
      release,
      asked: inputs.nixVersion !== undefined,
      mirror: inputs.nixMirror,
      temp: places.folder,
      confFile: places.confFile,
      nixConf: inputs.nixConf,
      toolCache: context.toolCache,
      entry: store && nixEntry(store, release, places.folder),
      env,
      account: currentAccount(),
      log: runner,
    })
    const { version, bin } = done.nix
    save({
      nix: { version, bin, system, ours: done.kind === 'ours', closure: [...done.closure] },
      ...(done.keep === undefined ? {} : { keep: JSON.stringify(done.keep) }),
    })
    return done
  })
  const loggingIn = client && phases.time('log in', () => client.headManifest(tags[0] ?? 'latest', signal))
  // When one fails the others end before the step does.
  await Promise.allSettled([opening, installing, loggingIn])
  await loggingIn
  const [cache, installed] = [await opening, await installing]
  signal.throwIfAborted()
  const { sandbox, how, from, phases: parts } = installed
  const nix = { ...installed.nix, signal }
  report.nix = { version: nix.version, how, from, sandbox, phases: parts }
  report.cache = {
    status: cache.status === 'off' ? 'off' : 'miss',
    paths: cache.index.paths.size,
    bytes: sizeOf(cache.index),
  }
  // From here on Nix works: for this step, and for those that follow.
  await writeConf(
    places.confFile,
    {
      ...installed.conf,
      substituter: cache.server?.url,
      substituters: inputs.substituters,
      trustedPublicKeys: inputs.trustedPublicKeys,
      extra: inputs.nixConf,
    },
    inputs.githubToken === ''
      ? undefined
      : { host: new URL(context.serverUrl).host, token: inputs.githubToken },
  )
  runner.addPath(nix.bin)
  for (const name of ['NIX_USER_CONF_FILES', 'NIX_SSL_CERT_FILE']) {
    const value = nix.env[name]
    if (value !== undefined) runner.exportVariable(name, value)
  }

  // The build.
  const common = { nix, workspace: context.workspace, args: inputs.nixArgs, log: runner }
  const sources = []
  const onSource = ({ path }) => sources.push(path)
  const evaluated = await phases.time('evaluate', async () => {
    try {
      const results = []
      for (const installable of [...(image === undefined ? [] : [image]), ...warm])
        results.push(await evaluate({ ...common, installable, onSource }))
      return results
    } finally {
      // A checkout that does not evaluate is in the store as well.
      await exclude(places, sources)
    }
  })
  const outputs = image === undefined ? [] : Object.values(evaluated[0]?.outputs ?? {})
  await exclude(places, [...sources, ...outputs])
  signal.throwIfAborted()
  const realised = await phases.time('build', () =>
    realise({
      ...common,
      evaluated,
      scratch: places.scratch,
      ...(cache.server === undefined ? {} : { cacheUrl: cache.server.url }),
      onProgress: ({ builds }) => {
        const last = builds.at(-1)
        if (last !== undefined) state.costs[last.drvPath] = last.seconds
      },
    }).finally(() => save({})),
  )
  const outPath = image === undefined ? undefined : realised.outPaths[0]
  save({ outPaths: [...realised.outPaths] })
  report.build = buildReport(realised, outPath, cache)
  report.cache.status = cacheStatus(cache, report.build)
  if (outPath === undefined) return
  // A script is small and saves its own build; an archive is large, and in the registry.
  if (await isStreamScript(outPath)) await exclude(places, sources)

  // The push.
  if (client === undefined) {
    report.unpushed = inputs.push === 'false' ? 'push is false' : `a ${context.eventName} does not push`
    return
  }
  const pushed = await phases.time('push', async () => {
    const opened = await openImage({ path: outPath, scratch: places.scratch, env: nix.env, log: runner })
    try {
      const { os, architecture, variant } = opened.platform
      const platform = [os, architecture, variant].filter(Boolean).join('/')
      const { compression, compressionLevel: level } = inputs
      const options = { client, image: opened, compression, level, tags, memo: cache.index.layers }
      const result = await pushImage({ ...options, scratch: places.scratch, log: runner, signal })
      return { ...result, platform }
    } finally {
      await opened.close()
    }
  })
  save({
    layers: Object.fromEntries(
      pushed.layers.map(({ diffId, digest, size }) => [
        memoKey(diffId, inputs.compression, inputs.compressionLevel),
        { digest, size },
      ]),
    ),
  })
  const { name } = client.repository
  const { memo: _, layers, ...facts } = pushed
  report.push = { ...facts, name, tags: tags.map(tag => `${name}:${tag}`), layers }
}

/** The end of the job. Warns at most: what was built and pushed stays so, whatever happens to the cache. */
export async function post(runner, env) {
  const folder = runner.state(folderState)
  if (folder === '') return
  const places = placesIn(folder)
  // First, so that nothing below can leave it behind.
  await attempt(runner, 'The access token was not removed', () => removeToken(places.confFile))
  await attempt(runner, 'The store cache was not saved', () => finish(places, runner, env))
  await attempt(runner, `${folder} was not removed`, () => removePlaces(places))
}

async function finish(places, runner, env) {
  const state = readState(places.folder)
  if (state === undefined) return
  const { cache = {}, keep } = state
  const served = cache.server === undefined ? undefined : await stopSubstituter(cache.server)
  const context = await readContext(env)
  const system = systemOf(process.arch)
  const inputs = parseInputs(name => runner.input(name), { system, platform: platformOf(system) })
  hideSecrets(runner, inputs)
  const store = inputs.cache === 'true' ? entriesFor(inputs, env, runner) : undefined
  if (store !== undefined) await saveStore(state, { inputs, context, places, served, env, runner })
  if (keep !== undefined) {
    await attempt(runner, 'Nix was not kept for the next job', async () => {
      const release = parseKept(keep)
      const entry = store && nixEntry(store, release, places.folder)
      await keepRelease(release, { toolCache: context.toolCache, entry })
    })
  }
}

async function saveStore(state, job) {
  if (state.nix === undefined) return
  const { inputs, context, places, served, env, runner } = job
  const { ours, closure, ...nix } = state.nix
  const environment = { env, account: currentAccount(), bin: nix.bin, certificates: undefined, ours }
  const phases = new Phases()
  const saved = await phases.time('save the cache', async () =>
    saveCache({
      nix: { ...nix, env: nixEnvironment({ ...environment, confFile: places.confFile }) },
      system: nix.system,
      scope: inputs.cacheScope,
      ...context,
      ...places,
      ...programs,
      key: state.cache?.key,
      started: state.started,
      closure,
      exclude: await excludedInJob(places),
      outPaths: state.outPaths,
      costs: state.costs,
      layers: new Map(Object.entries(state.layers)),
      served,
      limit: inputs.cacheSize,
      upstream: inputs.cacheUpstream,
      publicKeys: inputs.trustedPublicKeys,
      env,
      log: runner,
    }),
  )
  await runner.summary(postSummary(saved, phases.list()))
  for (const reason of saved.reasons) runner.info(reason)
  if (saved.outcome === 'denied') runner.info(`This job may only read the store cache: ${saved.why}`)
  if (saved.outcome === 'failed') runner.warning(`The store cache was not saved: ${saved.why}`)
}

/** Milliseconds. To download Nix anew takes less than to wait longer for a service that hangs. */
const releaseTimeout = 60_000

/** The one thing that the runner itself hands from main to post; all else is in a file of that folder. */
const folderState = 'folder'

/** What goes wrong in saying or keeping something is a warning. */
async function attempt(runner, what, work) {
  try {
    await work()
  } catch (error) {
    if (error instanceof Error && error.stack !== undefined) runner.debug(error.stack)
    runner.warning(`${what}: ${messageOf(error)}`)
  }
}

function inWords(error) {
  if (error instanceof UserError || !['ENOSPC', 'EDQUOT'].includes(codeOf(error) ?? '')) return error
  return new UserError(`The disk is full: ${messageOf(error)}`, {
    advice: 'Give the job more room, for instance by removing what it does not need before this step.',
    cause: error,
  })
}

const newState = { started: 0, outPaths: [], costs: {}, layers: {} }

function platformOf(system) {
  return system === 'aarch64-linux' ? 'linux/arm64' : 'linux/amd64'
}

/** Undefined when this run does not push. */
function clientFor(inputs, context, env, log) {
  if (inputs.image === undefined || inputs.push === 'false') return undefined
  if (inputs.push === 'auto' && /^(pull_request|merge_group)/.test(context.eventName)) return undefined
  const repository = parseName(inputs.name)
  return registryClient({
    repository,
    credentials: credentialsFor(inputs, repository.host, context),
    env,
    log,
  })
}

/**
 * The default password is the job's GitHub token. It stays with GitHub: another registry is not sent it, whatever it
 * asks for.
 */
function credentialsFor({ username, password, githubToken }, host, { serverUrl }) {
  const server = new URL(serverUrl).hostname
  const githubs = server === 'github.com' ? host === 'ghcr.io' : host.endsWith(`.${server}`)
  const isToken = password === githubToken || password.startsWith('ghs_')
  return password === '' || (isToken && !githubs) ? undefined : { username, password }
}

/** Besides the secrets themselves the forms in which requests carry them. */
function hideSecrets(runner, { username, password, githubToken }) {
  for (const secret of [password, githubToken].filter(Boolean)) {
    runner.secret(secret)
    runner.secret(Buffer.from(`${username}:${secret}`).toString('base64'))
  }
}

/** Undefined when this run uses no cache, or has none to use. */
function entriesFor(inputs, env, log, timeout) {
  if (inputs.cache === 'false' || !hasCacheService(env)) return undefined
  return entries({ client: programs.client, env, log, ...(timeout === undefined ? {} : { timeout }) })
}

async function openTheCache(inputs, context, places, env, log) {
  if (inputs.cache === 'false') return { status: 'off', index: emptyIndex }
  return openCache({
    system: systemOf(process.arch),
    scope: inputs.cacheScope,
    ...context,
    ...places,
    ...programs,
    env,
    log,
  })
}
