import { rm } from 'node:fs/promises'
import { evaluate, realise } from './build/flake.ts'
import { parseInstallable } from './build/installable.ts'
import { type Entries, entries, hasCacheService } from './cache/entries.ts'
import { emptyIndex, sizeOf } from './cache/model.ts'
import { nixEntry } from './cache/nix-entry.ts'
import { type OpenedCache, openCache } from './cache/open.ts'
import { saveCache } from './cache/save.ts'
import type { Stats } from './cache/server.ts'
import { stopSubstituter } from './cache/stop.ts'
import { openImage } from './image/open.ts'
import { isStreamScript } from './image/stream-script.ts'
import { type Inputs, parseInputs } from './inputs.ts'
import { tagsFor } from './metadata/tags.ts'
import { removeToken, writeConf } from './nix/conf.ts'
import { currentAccount, nixEnvironment } from './nix/environment.ts'
import { installNix } from './nix/install.ts'
import { keepRelease, parseKept } from './nix/keep.ts'
import { selectRelease, systemOf } from './nix/releases.ts'
import { outputsOf } from './outputs.ts'
import { exclude, excludedInJob, makePlaces, type Places, placesIn, programs } from './places.ts'
import type { Credentials } from './registry/auth.ts'
import { type RegistryClient, registryClient } from './registry/client.ts'
import { memoKey } from './registry/layers.ts'
import type { LayerMemo } from './registry/model.ts'
import { pushImage } from './registry/push.ts'
import { parseName } from './registry/reference.ts'
import { buildReport, cacheStatus, type Report } from './report.ts'
import { type Context, readContext } from './runner/context.ts'
import type { Runner } from './runner/runner.ts'
import { readState, type State, writeState } from './state.ts'
import { mainSummary, postSummary } from './summary.ts'
import { messageOf } from './util/errors.ts'
import { untilInterrupted } from './util/interrupt.ts'
import { Phases } from './util/phases.ts'

/** The step itself. A failure is said in words; what is known by then is said all the same. */
export async function main(runner: Runner, env: NodeJS.ProcessEnv): Promise<void> {
  const report: Report = { phases: [] }
  const phases = new Phases()
  try {
    await run(runner, env, phases, report)
  } catch (error) {
    report.failure = messageOf(error)
    runner.fail(error)
  }
  report.phases = phases.list()
  for (const [name, value] of outputsOf(report)) runner.output(name, value)
  await runner.summary(mainSummary(report))
}

async function run(runner: Runner, env: NodeJS.ProcessEnv, phases: Phases, report: Report): Promise<void> {
  // What is asked for: all of it is checked before anything is touched.
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
  const state: State = { ...newState, folder: places.folder, started: Math.floor(Date.now() / 1000) }
  const save = (more: Partial<State>) => writeState(runner.saveState, Object.assign(state, more))
  save({})

  const store = entriesFor(inputs, env, runner)
  // Nix, the cache, and whether the registry takes the credentials: none waits for the others.
  const opening = phases.time('open the cache', async () => {
    const opened = await openTheCache(inputs, context, places, env, runner)
    save({ cache: { key: opened.key, server: opened.server } })
    return opened
  })
  const installing = phases.time('install Nix', () =>
    installNix({
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
    }),
  )
  const loggingIn = client && phases.time('log in', () => client.headManifest(tags[0] ?? 'latest'))
  // When one fails the others end before the step does.
  await Promise.allSettled([opening, installing, loggingIn])
  await loggingIn
  const [cache, installed] = [await opening, await installing]
  const { nix, sandbox, closure, keep } = installed
  const { how, from, phases: parts } = installed
  report.nix = { version: nix.version, how, from, sandbox, phases: parts }
  report.cache = {
    status: cache.status === 'off' ? 'off' : 'miss',
    paths: cache.index.paths.size,
    bytes: sizeOf(cache.index),
  }
  save({
    nix: {
      version: nix.version,
      bin: nix.bin,
      system,
      ours: installed.kind === 'ours',
      closure: [...closure],
    },
    ...(keep === undefined ? {} : { keep: JSON.stringify(keep) }),
  })

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
  const evaluated = await phases.time('evaluate', async () => {
    const results = []
    for (const installable of [...(image === undefined ? [] : [image]), ...warm])
      results.push(await evaluate({ ...common, installable }))
    return results
  })
  const sources = evaluated.map(({ source }) => source.path)
  const outputs = image === undefined ? [] : Object.values(evaluated[0]?.outputs ?? {})
  await exclude(places, [...sources, ...outputs])
  const realised = await phases.time('build', () =>
    realise({
      ...common,
      evaluated,
      scratch: places.scratch,
      ...(cache.server === undefined ? {} : { cacheUrl: cache.server.url }),
      onProgress: progress => {
        for (const { drvPath, seconds } of progress.builds) state.costs[drvPath] = seconds
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
      const result = await untilInterrupted(signal =>
        pushImage({ ...options, scratch: places.scratch, log: runner, signal }),
      )
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
export async function post(runner: Runner, env: NodeJS.ProcessEnv): Promise<void> {
  const attempt = async (what: string, work: () => Promise<void>) => {
    try {
      await work()
    } catch (error) {
      if (error instanceof Error && error.stack !== undefined) runner.debug(error.stack)
      runner.warning(`${what}: ${messageOf(error)}`)
    }
  }
  const state = readState(runner.state)
  if (state === undefined) return
  const context = await readContext(env)
  const places = placesIn(state.folder)
  // First, so that nothing below can leave it behind.
  await attempt('The access token was not removed', () => removeToken(places.confFile))
  const system = systemOf(process.arch)
  const inputs = parseInputs(name => runner.input(name), { system, platform: platformOf(system) })
  hideSecrets(runner, inputs)
  const { cache = {}, keep } = state
  const served = cache.server === undefined ? undefined : await stopSubstituter(cache.server)
  const store = inputs.cache === 'true' ? entriesFor(inputs, env, runner) : undefined
  if (store !== undefined) {
    await attempt('The store cache was not saved', () =>
      saveStore(state, { inputs, context, places, served, env, runner }),
    )
  }
  if (keep !== undefined) {
    await attempt('Nix was not kept for the next job', async () => {
      const release = parseKept(keep)
      const entry = store && nixEntry(store, release, places.folder)
      await keepRelease(release, { toolCache: context.toolCache, entry })
    })
  }
  await attempt(`${places.folder} was not removed`, () => rm(places.folder, { recursive: true, force: true }))
}

async function saveStore(
  state: State,
  job: {
    readonly inputs: Inputs
    readonly context: Context
    readonly places: Places
    readonly served: Stats | undefined
    readonly env: NodeJS.ProcessEnv
    readonly runner: Runner
  },
): Promise<void> {
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
      layers: new Map(Object.entries(state.layers)) as LayerMemo,
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

const newState: State = { started: 0, folder: '', outPaths: [], costs: {}, layers: {} }

function platformOf(system: string): string {
  return system === 'aarch64-linux' ? 'linux/arm64' : 'linux/amd64'
}

/** Undefined when this run does not push. */
function clientFor(
  inputs: Inputs,
  context: Context,
  env: NodeJS.ProcessEnv,
  log: Runner,
): RegistryClient | undefined {
  if (inputs.image === undefined || inputs.push === 'false') return undefined
  if (inputs.push === 'auto' && /^pull_request/.test(context.eventName)) return undefined
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
function credentialsFor(
  { username, password, githubToken }: Inputs,
  host: string,
  { serverUrl }: Context,
): Credentials | undefined {
  const server = new URL(serverUrl).hostname
  const githubs = host === 'ghcr.io' || host.endsWith(`.${server}`)
  const isToken = password === githubToken || password.startsWith('ghs_')
  return password === '' || (isToken && !githubs) ? undefined : { username, password }
}

/** Besides the secrets themselves the forms in which requests carry them. */
function hideSecrets(runner: Runner, { username, password, githubToken }: Inputs): void {
  for (const secret of [password, githubToken].filter(Boolean)) {
    runner.secret(secret)
    runner.secret(Buffer.from(`${username}:${secret}`).toString('base64'))
  }
}

/** Undefined when this run uses no cache, or has none to use. */
function entriesFor(inputs: Inputs, env: NodeJS.ProcessEnv, log: Runner): Entries | undefined {
  if (inputs.cache === 'false' || !hasCacheService(env)) return undefined
  return entries({ client: programs.client, env, log })
}

async function openTheCache(
  inputs: Inputs,
  context: Context,
  places: Places,
  env: NodeJS.ProcessEnv,
  log: Runner,
): Promise<OpenedCache> {
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
