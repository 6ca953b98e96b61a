import { mkdir, mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from '../vendor/zod.js'
import { runNix } from '../nix/cli.js'

import { harmless } from '../util/harmless.js'
import { silent } from '../util/log.js'
import { describe, describeImage, readDescription, readImageDescription } from './description.js'
import { failureOf } from './failure.js'

import { createReporter, summarise } from './report.js'
import { bashCommand, isShell, shellCommand, shellPath } from './shells.js'
import { parseMetadata } from './source.js'

const processClock = () => performance.now() / 1000

/** Before the command, so that Nix's words about the user's arguments are read too; and after, to have the last word. */
const json = ['--log-format', 'internal-json']
const first = ['--extra-experimental-features', 'nix-command flakes', ...json]

/**
 * Reads an installable's flake.
 * @throws UserError when it is not there or cannot be read
 */
export async function openFlake(options, installable) {
  const { nix, workspace, args, system, log } = options
  const { line, progress } = createReporter(log, options.now ?? processClock)
  let source
  const foreign = system === undefined || system === nix.system ? [] : evaluatedFor(system, nix.system)
  const run = async (command, failing) => {
    const result = await runNix(nix, 'nix', [...first, ...command, ...args, ...foreign, ...json], {
      cwd: workspace,
      onStderrLine: line,
    })
    options.onProgress?.(progress)
    if (result.code === 0) return result.stdout
    const installables = [failing?.(progress.errors.at(-1)?.text ?? '') ?? installable]
    throw await failureOf({
      step: 'evaluated',
      progress,
      code: result.code,
      installables,
      source,
      ...options,
    })
  }
  const read = parseMetadata(await run(['flake', 'metadata', '--json', installable.flake || '.']))
  source = read
  options.onSource?.(read)
  return {
    source: read,
    async ask(reference, nixFunction, failing) {
      const command = ['eval', '--json', reference, '--apply', nixFunction, '--show-trace']
      return JSON.parse(await run(command, failing))
    },
  }
}

/**
 * Evaluates an installable, once: what it will build, and the source that it comes from. Builds nothing, unless the
 * flake imports from a derivation.
 * @throws UserError when the flake, the attribute or its value is not as it must be
 */
export async function evaluate(options) {
  const { installable, asImage = false, log } = options
  return await log.group(`Evaluate ${installable.text}`, async () => {
    const { source, ask } = await openFlake(options, installable)
    const reference = installable.text.replace(/\^[^^]*$/, '')
    const described = asImage
      ? readImageDescription(await ask(reference, describeImage), installable)
      : readDescription(await ask(reference, describe), installable)
    log.info(harmless(`${described.name}: ${described.outPath}`))
    return Object.freeze({ installable, ...described, source })
  })
}

/**
 * Has Nix look for a flake's outputs as if this machine were another one. What evaluation itself builds may still be
 * for this one.
 */
function evaluatedFor(system, own) {
  return ['--system', system, '--option', 'extra-extra-platforms', own]
}

const built = z.array(z.object({ drvPath: z.string(), outputs: z.record(z.string(), z.string().nullish()) }))

/**
 * Builds or substitutes what was evaluated: all outputs in one run of Nix, then each development shell as far as
 * `nix develop` needs it. What comes of it is kept from garbage collection for as long as `scratch` exists.
 * @param options.scratch directory for links to the outputs
 * @param options.cacheUrl URL under which Nix knows this action's own cache
 * @param options.onProgress called whenever a build or a substitution has ended, also when the whole fails later
 * @throws UserError when something fails to build
 */
export async function realise(options) {
  const { nix, evaluated, workspace, args, log, scratch, onProgress, cacheUrl } = options
  const now = options.now ?? processClock
  const started = now()
  await mkdir(scratch, { recursive: true })
  const links = await mkdtemp(join(scratch, 'built-'))
  const { line, progress } = createReporter(log, now)
  let ended = '0 0 0'
  const onStderrLine = text => {
    line(text)
    const far = `${progress.builds.length} ${progress.failed.size} ${progress.substitutions.size}`
    if (far !== ended) onProgress?.(progress)
    ended = far
  }
  const run = async (command, what) => {
    const result = await runNix(nix, 'nix', [...first, ...command, ...args, ...json], {
      cwd: workspace,
      onStderrLine,
    })
    if (result.code === 0) return result.stdout
    const installables = what.map(({ installable }) => installable)
    const drvPaths = what.map(({ drvPath }) => drvPath)
    const source = what.find(({ source }) => source.directory !== undefined)?.source
    throw await failureOf({
      step: 'built',
      progress,
      code: result.code,
      installables,
      drvPaths,
      source,
      ...options,
    })
  }

  const outPaths = new Map()
  const [shells, others] = [evaluated.filter(isShellOf), evaluated.filter(one => !isShellOf(one))]
  await log.group(title(evaluated), async () => {
    if (others.length > 0) {
      const wanted = others.map(({ drvPath, outputs }) => `${drvPath}^${Object.keys(outputs).join(',')}`)
      const answer = await run(['build', '--json', '--out-link', join(links, 'result'), ...wanted], others)
      const outputs = new Map(built.parse(JSON.parse(answer)).map(one => [one.drvPath, one.outputs]))
      for (const one of others) {
        const path = outputs.get(one.drvPath)?.[Object.keys(one.outputs)[0] ?? '']
        outPaths.set(one, path ?? one.outPath)
      }
    }
    for (const [index, shell] of shells.entries()) {
      const profile = join(links, `shell-${index}`)
      await run(shellCommand(shell, profile), [shell])
      outPaths.set(shell, await shellPath(profile))
    }
    await bringBash()
  })
  const realised = {
    outPaths: evaluated.map(one => outPaths.get(one) ?? one.outPath),
    builds: progress.builds,
    substitutions: [...progress.substitutions.values()],
    seconds: now() - started,
  }
  log.info(`${nameAll(evaluated)}: ${summarise(realised, cacheUrl)}`)
  return realised

  /** As `nix develop` does it: where there is no such Bash that is no failure, and it takes another one. */
  async function bringBash() {
    const flakes = Map.groupBy(shells, ({ source }) => source.url)
    for (const [index, [shell]] of [...flakes.values()].entries()) {
      const command = shell && bashCommand(shell, nix.system)
      if (command === undefined) continue
      const quiet = createReporter(silent, now)
      const link = ['--out-link', join(links, `bash-${index}`)]
      const { code } = await runNix(nix, 'nix', [...first, ...command, ...link, ...json], {
        cwd: workspace,
        onStderrLine: quiet.line,
      })
      if (code !== 0) log.debug(`No Bash for nix develop: ${quiet.progress.lines.at(-1)}`)
      progress.builds.push(...quiet.progress.builds)
      for (const [path, how] of quiet.progress.substitutions) progress.substitutions.set(path, how)
    }
    if (shells.length > 0) onProgress?.(progress)
  }
}

const isShellOf = ({ installable }) => isShell(installable)

function title(evaluated) {
  return `Build ${nameAll(evaluated)}`
}

/** `.#image`, `.#image and 2 more`. */
function nameAll([first, ...others]) {
  return `${first?.installable.text}${others.length > 0 ? ` and ${others.length} more` : ''}`
}
