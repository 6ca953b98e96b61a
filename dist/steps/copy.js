import { runNix } from '../nix/cli.js'
import { copyPaths } from '../nix/copy.js'
import { cloudVariables } from '../nix/environment.js'

import { excludedInJob } from '../places.js'
import { isStoreOf } from '../report.js'

import { whyKept } from './login.js'

/**
 * Sends what was built to the store that the user named: the outputs, all that was built on the way to them and, since
 * an earlier run has built it, what came from our own cache. Not the image archive, which goes to the registry. Pull requests
 * send nothing there unless `push` is `true`: those of forks do not get the keys for it.
 */
export async function copyTo(job, nix, cache, built) {
  const { inputs, context, places, runner, phases, report, env } = job
  const { copyTo: destination, sshKey } = inputs
  if (destination === undefined) return
  const why = whyKept(inputs, context)
  if (why !== undefined) {
    runner.info(`Nothing is copied to ${destination.url}: ${why}.`)
    return
  }
  await phases.time('copy', async () => {
    const excluded = new Set(await excludedInJob(places))
    const paths = (await madeHere(nix, cache, built)).filter(path => !excluded.has(path))
    const sent = await copyPaths({
      ...{ nix, destination, paths, sshKey },
      folder: places.folder,
      cloud: cloudVariables(env),
      log: runner,
    })
    report.copy = { to: destination.url, paths: sent.length }
  })
}

async function madeHere(nix, cache, { realised, evaluated, brought }) {
  const isOurs = isStoreOf(cache)
  const paths = [
    ...realised.outPaths,
    ...brought,
    ...evaluated.flatMap(({ outputs }) => Object.values(outputs)),
    ...realised.substitutions.filter(({ store }) => isOurs(store)).map(({ path }) => path),
    ...(await outputsOf(
      nix,
      realised.builds.map(({ drvPath }) => drvPath),
    )),
  ]
  return await valid(nix, [...new Set(paths)])
}

/** Derivations, or paths, in one argv. */
const atOnce = 500

async function outputsOf(nix, derivations) {
  const outputs = []
  for (let at = 0; at < derivations.length; at += atOnce) {
    const some = derivations.slice(at, at + atOnce)
    const { code, stdout, stderr } = await runNix(nix, 'nix-store', ['--query', '--outputs', ...some])
    if (code !== 0) throw new Error(`nix-store --query --outputs failed: ${stderr.trim()}`)
    outputs.push(...stdout.split('\n').filter(Boolean))
  }
  return outputs
}

/** The output of a development shell is not built, and not every output of a derivation need be there. */
async function valid(nix, paths) {
  const invalid = new Set()
  for (let at = 0; at < paths.length; at += atOnce) {
    const some = paths.slice(at, at + atOnce)
    const { stdout } = await runNix(nix, 'nix-store', ['--check-validity', '--print-invalid', ...some])
    for (const path of stdout.split('\n')) invalid.add(path)
  }
  return paths.filter(path => !invalid.has(path))
}
