import { mkdir, mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from '../vendor/zod.js'
import { runNix } from '../nix/cli.js'

import { UserError } from '../util/errors.js'
import { harmless } from '../util/harmless.js'

import { failureOf } from './failure.js'

import { createReporter, summarise } from './report.js'
import { parseMetadata } from './source.js'

const processClock = () => performance.now() / 1000

/** Before the command, so that Nix's words about the user's arguments are read too; and after, to have the last word. */
const json = ['--log-format', 'internal-json']
const first = ['--extra-experimental-features', 'nix-command flakes', ...json]

// Not an attribute set that has `outPath`: Nix would write that one as a string.
const describe = `d:
  if (d.type or null) != "derivation" then { isA = builtins.typeOf d; }
  else let
    wanted = if d.outputSpecified or false then [ d.outputName ]
      else d.meta.outputsToInstall or [ (d.outputName or "out") ];
    named = name: { inherit name; value = (d.\${name} or d).outPath; };
  in {
    drv = d.drvPath;
    inherit (d) name;
    inherit wanted;
    outputs = builtins.listToAttrs (map named (d.outputs or [ "out" ]));
  }`

const storePath = z
  .string()
  .regex(/^\/nix\/store\/[0-9a-z]{32}-[\w+.?=-]+$/, 'not the path of something in /nix/store')
const outputName = z.string().regex(/^[\w+.?=-]+$/, 'not a name that an output can have')

/** The flake's author can write anything here: what looks like a derivation need not be one. */
const described = z.union([
  z.object({ isA: z.string() }),
  z.object({
    drv: storePath.endsWith('.drv', 'not the path of a derivation'),
    name: z.string(),
    wanted: z.array(outputName),
    outputs: z.record(outputName, storePath),
  }),
])

/**
 * Evaluates an installable, once: what it will build, and the source that it comes from. Builds nothing, unless the
 * flake imports from a derivation.
 * @throws UserError when the flake, the attribute or its value is not as it must be
 */
export async function evaluate(options) {
  const { nix, installable, workspace, args, log } = options
  return await log.group(`Evaluate ${installable.text}`, async () => {
    const { line, progress } = createReporter(log, options.now ?? processClock)
    let source
    const run = async (...command) => {
      const result = await runNix(nix, 'nix', [...first, ...command, ...args, ...json], {
        cwd: workspace,
        onStderrLine: line,
      })
      if (result.code === 0) return result.stdout
      throw await failureOf({
        step: 'evaluated',
        progress,
        code: result.code,
        installables: [installable],
        source,
        ...options,
      })
    }
    source = parseMetadata(await run('flake', 'metadata', '--json', installable.flake || '.'))
    options.onSource?.(source)
    const reference = installable.text.replace(/\^[^^]*$/, '')
    const answer = await run('eval', '--json', reference, '--apply', describe, '--show-trace')
    const { data: value } = described.safeParse(JSON.parse(answer))
    if (value === undefined) {
      throw new UserError(
        `${installable.text} is not a derivation that can be built: its name, paths or outputs are not as Nix makes them.`,
        { advice: 'Name an output that `nix build` can build.' },
      )
    }
    if ('isA' in value) {
      throw new UserError(`${installable.text} is not a derivation: it evaluates to a ${value.isA}.`, {
        advice: 'Name an output that `nix build` can build.',
      })
    }
    const evaluated = { installable, drvPath: value.drv, name: oneLine(value.name), ...chosen(value), source }
    log.info(harmless(`${evaluated.name}: ${evaluated.outPath}`))
    return Object.freeze(evaluated)
  })

  function chosen({ outputs, wanted }) {
    const names = installable.outputs === 'all' ? Object.keys(outputs) : (installable.outputs ?? wanted)
    const entries = names.map(name => {
      const path = outputs[name]
      if (path !== undefined) return [name, path]
      throw new UserError(`${installable.text}: there is no output '${name}'.`, {
        advice: `It has: ${Object.keys(outputs).join(', ')}.`,
      })
    })
    return { outputs: Object.fromEntries(entries), outPath: entries[0]?.[1] ?? '' }
  }
}

function oneLine(text) {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
}

const built = z.array(z.object({ drvPath: z.string(), outputs: z.record(z.string(), z.string().nullish()) }))

/**
 * Builds or substitutes what was evaluated, all of it in one run of Nix. The outputs are kept from garbage collection
 * for as long as `scratch` exists.
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
  const wanted = evaluated.map(({ drvPath, outputs }) => `${drvPath}^${Object.keys(outputs).join(',')}`)
  let ended = '0 0 0'
  const result = await log.group(title(evaluated), () =>
    runNix(
      nix,
      'nix',
      [...first, 'build', '--json', '--out-link', join(links, 'result'), ...wanted, ...args, ...json],
      {
        cwd: workspace,
        onStderrLine: text => {
          line(text)
          const far = `${progress.builds.length} ${progress.failed.size} ${progress.substitutions.size}`
          if (far !== ended) onProgress?.(progress)
          ended = far
        },
      },
    ),
  )
  if (result.code !== 0) {
    const installables = evaluated.map(({ installable }) => installable)
    const source = evaluated.find(({ source }) => source.directory !== undefined)?.source
    throw await failureOf({ step: 'built', progress, code: result.code, installables, source, ...options })
  }
  const outputs = new Map(built.parse(JSON.parse(result.stdout)).map(one => [one.drvPath, one.outputs]))
  const realised = {
    outPaths: evaluated.map(
      one => outputs.get(one.drvPath)?.[Object.keys(one.outputs)[0] ?? ''] ?? one.outPath,
    ),
    builds: progress.builds,
    substitutions: [...progress.substitutions.values()],
    substituting: progress.substituting,
    seconds: now() - started,
  }
  log.info(`${evaluated.map(one => one.installable.text).join(', ')}: ${summarise(realised, cacheUrl)}`)
  return realised
}

function title([first, ...others]) {
  return `Build ${first?.installable.text}${others.length > 0 ? ` and ${others.length} more` : ''}`
}
