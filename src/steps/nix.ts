import { readFile, stat } from 'node:fs/promises'
import { nixEntry } from '../cache/nix-entry.ts'
import type { OpenedCache } from '../cache/open.ts'
import type { Job } from '../job.ts'
import { userNetrc, writeConf } from '../nix/conf.ts'
import { currentAccount, withoutCloud } from '../nix/environment.ts'
import { type Installed, installNix } from '../nix/install.ts'
import { beginJob } from '../nix/jobs.ts'
import type { Nix } from '../nix/model.ts'
import { renderNetrc } from '../nix/netrc.ts'
import { isPinned } from '../nix/releases.ts'
import { setting } from '../nix/store.ts'
import { answering } from '../nix/substituters.ts'
import { earlierConfFiles } from '../places.ts'
import { entriesFor } from './store-cache.ts'

/** Milliseconds. To download Nix anew takes less than to wait longer for a service that hangs. */
const releaseTimeout = 60_000

/** Installs Nix, or finds it; from then on post can tell what is Nix's own. */
export async function installTheNix(job: Job): Promise<Installed> {
  const { inputs, context, system, places, env, runner } = job
  const store = entriesFor(inputs, env, runner, releaseTimeout)
  const installed = await installNix({
    release: inputs.release,
    asked: inputs.releaseAsked,
    mirror: inputs.nixMirror,
    temp: places.folder,
    confFile: places.confFile,
    nixConf: inputs.nixConf,
    substituters: inputs.substituters,
    toolCache: context.toolCache,
    entry: store && nixEntry(store, inputs.release, places.folder),
    // Evaluation and builds get the keys of a cloud only where they take something from there.
    env: [...inputs.substituters, inputs.nixConf].some(text => text.includes('s3://'))
      ? env
      : withoutCloud(env),
    account: currentAccount(),
    log: runner,
  })
  const { nix, how, from, sandbox, phases, kind, closure, keep } = installed
  job.save({
    nix: {
      version: nix.version,
      bin: nix.bin,
      system,
      ours: kind === 'ours',
      shared: !context.hosted,
      closure: [...closure],
    },
    ...(keep === undefined ? {} : { keep: JSON.stringify(keep) }),
  })
  // A machine that is thrown away needs no care.
  if (kind === 'ours' && !context.hosted) await beginJob(places.folder)
  const { release } = inputs
  const held =
    how === 'installed' ? { release: { sha256: release.sha256, pinned: isPinned(release) } } : undefined
  job.report.nix = { version: nix.version, how, from, sandbox, ...held, phases }
  return installed
}

/**
 * The binary caches that the user named, but for those that do not answer or whose password the job was not given.
 * @param installing which knows what the machine has of logins
 */
export async function findSubstituters(
  { inputs, env, runner, signal }: Job,
  installing: Promise<Pick<Installed, 'nix'>>,
): Promise<string[]> {
  const { substituters, lockedSubstituters, logins, nixConf } = inputs
  for (const url of lockedSubstituters)
    runner.warning(
      `The binary cache ${url} is given with a login that has no password: this job goes on without it. Pull requests of forks get no secrets; otherwise check the name of the secret.`,
    )
  const mayHaveLogin = async () => userNetrc(nixConf) || (await hasNetrc((await installing).nix))
  return await answering(substituters, { logins, mayHaveLogin, env, log: runner, signal })
}

/**
 * From here on Nix works: for this step, and for those that follow.
 * @param substituters from `findSubstituters`
 */
export async function configureNix(
  job: Job,
  { nix, conf, kind }: Installed,
  cache: OpenedCache,
  substituters: readonly string[],
): Promise<void> {
  const { inputs, context, places, runner } = job
  await writeConf(
    places.confFile,
    {
      ...conf,
      thrownAway: kind === 'ours' && context.hosted,
      substituter: cache.server?.url,
      substituters,
      trustedPublicKeys: inputs.trustedPublicKeys,
      extra: inputs.nixConf,
    },
    {
      token:
        inputs.githubToken === ''
          ? undefined
          : { host: new URL(context.serverUrl).host, token: inputs.githubToken },
      netrc: inputs.logins.length === 0 ? undefined : renderNetrc(inputs.logins, await presentNetrc(nix)),
      earlier: earlierConfFiles(places, nix.env.NIX_USER_CONF_FILES ?? ''),
    },
  )
  runner.addPath(nix.bin)
  for (const name of ['NIX_USER_CONF_FILES', 'NIX_SSL_CERT_FILE']) {
    const value = nix.env[name]
    if (value !== undefined) runner.exportVariable(name, value)
  }
}

/** What the machine has of logins: ours is to stand in for that file. */
async function presentNetrc(nix: Nix): Promise<string> {
  const file = await setting(nix, 'netrc-file')
  return file === undefined ? '' : await readFile(file, 'utf8').catch(() => '')
}

/** It may be for root alone, whose daemon reads it. */
async function hasNetrc(nix: Nix): Promise<boolean> {
  const file = await setting(nix, 'netrc-file')
  return file !== undefined && (await stat(file).catch(() => undefined)) !== undefined
}
