import { existsSync } from 'node:fs'
import { shortName } from '../build/progress.js'
import { platformOf } from '../image/platform.js'

import { pathInfo, runNix } from '../nix/cli.js'

import { findProgram } from '../nix/privilege.js'
import { setting } from '../nix/store.js'
import { choose } from '../reproduce/choose.js'
import { explain } from '../reproduce/explain.js'

import { narSizeOf } from '../reproduce/nar-size.js'
import { rebuild } from '../reproduce/rebuild.js'
import { keptAt } from '../reproduce/verdict.js'
import { failureOf } from '../reproduce/words.js'
import { isDiskFull, UserError } from '../util/errors.js'
import { queue } from '../util/queue.js'
import { count } from '../util/text.js'

/**
 * Builds a second time what the images are made from, as far as nobody else vouches for it, and compares.
 * @throws UserError when something came out different, or did not build
 */
export async function reproduce(job, nix, { images }) {
  const { phases, report, runner, signal } = job
  const [first] = images
  if (first === undefined) return
  await phases.time('reproduce', async () => {
    const roots = images.map(({ evaluated, path }) => ({ drvPath: evaluated.drvPath, path }))
    const choice = await choose(nix, roots)
    const { candidates, fixed, signed } = choice
    const title = `Build ${count(candidates.length, 'derivation')} a second time`
    let derivations
    try {
      derivations = await runner.group(title, () => buildAgain(job, nix, choice, first))
    } finally {
      await removeKept(job, nix, candidates)
    }
    signal.throwIfAborted()
    const reproduction = {
      verdict: verdictOf(derivations),
      ...{ derivations, fixed: fixed.length, signed: signed.length },
    }
    report.reproducible = reproduction
    for (const { name, why } of derivations.filter(({ verdict }) => verdict === 'skipped'))
      runner.warning(`${name} was not built a second time: ${why}.`)
    const failure = failureOf(reproduction, report.nix?.sandbox ?? true)
    if (failure !== undefined) throw failure
    const built = derivations.filter(({ verdict }) => verdict === 'same').length
    if (built > 0) runner.info(`${count(built, 'derivation')} built a second time, all the same`)
  })
}

function verdictOf(derivations) {
  const some = verdict => derivations.some(one => one.verdict === verdict)
  if (some('different')) return 'different'
  if (some('failed')) return 'failed'
  return some('skipped') ? 'partly' : 'same'
}

async function buildAgain(job, nix, choice, image) {
  const { inputs, context, runner, signal } = job
  const diffHook = await findProgram('true', nix.env.PATH)
  if (diffHook === undefined)
    throw new UserError('There is no program `true` in PATH, which Nix is to call.', {
      advice: 'Install coreutils.',
    })
  const common = { nix, workspace: context.workspace, args: inputs.nixArgs, log: runner, diffHook }
  const { installable, source } = image.evaluated
  const options = { ...common, installables: [installable], source }
  const jobs = queue(Number(await setting(nix, 'max-jobs')) || 1)
  const all = await Promise.allSettled(
    choice.candidates.map(candidate =>
      jobs.run(candidate.drvPath, 0, async () => {
        signal.throwIfAborted()
        const started = performance.now()
        const rebuilt = await rebuild(candidate, options)
        return { candidate, rebuilt, seconds: (performance.now() - started) / 1000 }
      }),
    ),
  )
  signal.throwIfAborted()
  const built = all.map(one => {
    if (one.status === 'rejected') throw one.reason
    return one.value
  })
  for (const { rebuilt } of built)
    if (rebuilt.verdict === 'failed' && isDiskFull(rebuilt.error)) throw rebuilt.error
  const derivations = []
  // One after the other, since what is compared may have to be unpacked.
  for (const { candidate, rebuilt, seconds } of built)
    derivations.push(await compared(job, nix, candidate, rebuilt, seconds))
  const why = 'there is no derivation that makes it'
  const nothing = { outputs: [], differences: [], more: false, seconds: 0 }
  for (const path of choice.orphans)
    derivations.push({ name: shortName(path), verdict: 'skipped', why, ...nothing })
  return derivations
}

async function compared(job, nix, { drvPath, outputs }, rebuilt, seconds) {
  const kept = rebuilt.verdict === 'different' ? rebuilt.kept : undefined
  const made = []
  for (const { info } of outputs) {
    const { path, narHash, narSize } = info
    const again = path === kept ? { again: await contentOf(nix, keptAt(path)) } : {}
    made.push({ path, narHash, narSize, ...again })
  }
  const found =
    kept === undefined
      ? { differences: [], more: false }
      : await explain(kept, keptAt(kept), optionsFor(job, nix, kept))
  return {
    ...{ name: shortName(drvPath), drvPath, verdict: rebuilt.verdict, outputs: made, seconds },
    ...(rebuilt.verdict === 'skipped' ? { why: rebuilt.why } : {}),
    ...(rebuilt.verdict === 'failed' ? whyFailed(rebuilt.error) : {}),
    ...found,
  }
}

function whyFailed({ message, detail }) {
  return { why: message, ...(detail === undefined ? {} : { log: detail }) }
}

function optionsFor({ places, runner, signal, system }, nix, path) {
  return {
    ...{ name: shortName(path), scratch: places.scratch, env: nix.env, now: new Date(), log: runner, signal },
    platform: platformOf(system),
    pathInfo: paths => pathInfo(nix, paths),
  }
}

/** Of a path that is not in Nix's database. */
async function contentOf(nix, path) {
  const args = ['--extra-experimental-features', 'nix-command', 'hash', 'path', path]
  const { code, stdout, stderr } = await runNix(nix, 'nix', args)
  if (code !== 0) throw new Error(`nix hash path failed: ${stderr.trim()}`)
  return { narHash: stdout.trim(), narSize: narSizeOf(path) }
}

/** What Nix kept of the second builds, also of one that was interrupted: nothing of it is in its database. */
async function removeKept({ runner }, nix, candidates) {
  const paths = candidates.flatMap(({ outputs }) => outputs.map(({ info }) => keptAt(info.path)))
  const kept = paths.filter(path => existsSync(path))
  if (kept.length === 0) return
  // Also at the end of a job that was cancelled, which would interrupt this too.
  const { signal: _, ...calm } = nix
  const { code, stderr } = await runNix(calm, 'nix-store', ['--delete', ...kept])
  if (code !== 0) runner.info(`What Nix kept of the second build was not removed: ${stderr.trim()}`)
}
