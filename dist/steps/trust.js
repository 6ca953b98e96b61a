import { baseImages } from '../build/base-images.js'

import { isPure } from '../build/revision.js'
import { lockedIn, lockFile } from '../build/source.js'

import { pathInfo } from '../nix/cli.js'
import { derivationText, parseWholeDerivation } from '../nix/derivation.js'
import { evidenceOf, trustedKeys } from '../nix/evidence.js'

import { withoutQuery } from '../report.js'
import { messageOf } from '../util/errors.js'
import { harmless } from '../util/harmless.js'

/** Tells what was built, and what it was built from, was held against, or taken on trust. Never throws. */
export async function tellTrust(job, nix, cache, built) {
  try {
    const { builds, substitutions } = built.realised
    job.report.trust = {
      ...(await tellPaths(nix, cache, [...built.early, ...substitutions], built.brought)),
      ...(await tellInputs(job, built)),
      bases: built.images.flatMap(({ evaluated }) => baseImages(evaluated.drvPath, derivationText)),
      downloads: builds.filter(({ drvPath }) => parseWholeDerivation(derivationText(drvPath) ?? '')?.fixed)
        .length,
      machines: byMachine(builds),
    }
  } catch (error) {
    job.runner.debug(`What was verified is not known: ${harmless(messageOf(error))}`)
  }
}

/** By where they are from, and by what vouches for them. */
async function tellPaths(nix, cache, substitutions, brought) {
  const url = withoutQuery(cache.server?.url)
  const origins = new Map(brought.map(path => [path, 'cache']))
  for (const { path, store } of substitutions) {
    const from = withoutQuery(store) ?? ''
    origins.set(path, from === url ? 'cache' : from)
  }
  if (origins.size === 0) return { paths: [], keys: [] }
  const [infos, keys] = await Promise.all([pathInfo(nix, [...origins.keys()]), trustedKeys(nix)])
  const told = new Map()
  for (const [path, from] of origins) {
    const info = infos.get(path)
    if (info === undefined) continue
    const evidence = evidenceOf(info, keys)
    const key = JSON.stringify([from, evidence])
    told.set(key, { from, ...evidence, paths: (told.get(key)?.paths ?? 0) + 1 })
  }
  return { paths: [...told.values()], keys: [...keys.keys()] }
}

/** Of all flakes that something was asked of. */
async function tellInputs({ inputs, env }, { evaluated }) {
  const sources = new Map(evaluated.map(({ source }) => [`${source.path} ${source.url}`, source]))
  const told = { locked: 0, unlocked: 0 }
  for (const source of sources.values()) {
    const lock = lockedIn((await lockFile(source))?.toString('utf8') ?? '')
    const locked = new Set(lock.map(({ url, narHash }) => `${url} ${narHash}`))
    for (const { url, narHash } of source.locked)
      told[locked.has(`${url} ${narHash}`) ? 'locked' : 'unlocked']++
  }
  return { inputs: told, pure: isPure(inputs.nixArgs, inputs.nixConf, env) }
}

function byMachine(builds) {
  const remote = Map.groupBy(builds, ({ machine }) => withoutQuery(machine))
  return [...remote].flatMap(([machine, { length }]) =>
    machine === undefined ? [] : { machine, builds: length },
  )
}
