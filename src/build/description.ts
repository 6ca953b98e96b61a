import * as z from 'zod'
import { UserError } from '../util/errors.ts'
import type { Installable } from './installable.ts'

/**
 * A Nix function that tells of a derivation what `describedSchema` takes.
 * It gives no attribute set that has `outPath`: Nix would write that one as a string.
 */
export const describe = `d:
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
export const describedSchema = z.union([
  z.object({ isA: z.string() }),
  z.object({
    drv: storePath.endsWith('.drv', 'not the path of a derivation'),
    name: z.string(),
    wanted: z.array(outputName),
    outputs: z.record(outputName, storePath),
  }),
])

/** A derivation as the flake has it. */
export type Described = {
  /** Store path of the derivation. */
  readonly drvPath: string
  readonly name: string
  /** The outputs to build: store path by name. */
  readonly outputs: Readonly<Record<string, string>>
  /** Store path of the first of these outputs. */
  readonly outPath: string
}

const advice = 'Name an output that `nix build` can build.'

/**
 * Reads what `describe` gave for an installable, with the outputs that the installable asks for.
 * @throws UserError when it is no derivation, or has not these outputs
 */
export function readDescription(answer: unknown, installable: Installable): Described {
  const { text } = installable
  const { data: value } = describedSchema.safeParse(answer)
  if (value === undefined) {
    throw new UserError(
      `${text} is not a derivation that can be built: its name, paths or outputs are not as Nix makes them.`,
      { advice },
    )
  }
  if ('isA' in value) {
    throw new UserError(`${text} is not a derivation: it evaluates to a ${value.isA}.`, { advice })
  }
  const { outputs, wanted } = value
  const names = installable.outputs === 'all' ? Object.keys(outputs) : (installable.outputs ?? wanted)
  const entries = names.map(name => {
    const path = outputs[name]
    if (path !== undefined) return [name, path] as const
    throw new UserError(`${text}: there is no output '${name}'.`, {
      advice: `It has: ${Object.keys(outputs).join(', ')}.`,
    })
  })
  return {
    drvPath: value.drv,
    name: oneLine(value.name),
    outputs: Object.fromEntries(entries),
    outPath: entries[0]?.[1] ?? '',
  }
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
}
