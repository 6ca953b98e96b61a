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

/**
 * The same of an image. One that a script of nixpkgs writes from a description of its layers (streamLayeredImage, and
 * buildLayeredImage, which packs what that one writes) comes with what `describe` makes of the description, `conf`, if
 * the description is what the script is given, and the script nixpkgs' own: somebody may have put another in its place.
 */
export const describeImage = `d: let
    describe = ${describe};
    maker = if d ? conf then d else d.stream or { };
    conf = maker.conf or null;
    command = maker.buildCommand or "";
    plain = builtins.unsafeDiscardStringContext;
    mentions = text: builtins.replaceStrings [ text ] [ "" ] (plain command) != plain command;
    hasScript = !(maker ? streamScript) || command == "" || mentions (plain "\${maker.streamScript}")
      || mentions "$streamScript" || mentions "\${"$"}{streamScript}";
    uses = one: other: builtins.hasAttr (plain other.drvPath) (builtins.getContext (builtins.toJSON one.drvAttrs));
    isMade = (conf.type or null) == "derivation" && uses maker conf && hasScript && (d ? conf || uses d maker);
    about = describe d;
    known = builtins.tryEval isMade;
  in if about ? isA || !known.success || !known.value then about else about // { conf = describe conf; }`

const storePath = z
  .string()
  .regex(/^\/nix\/store\/[0-9a-z]{32}-[\w+.?=-]+$/, 'not the path of something in /nix/store')
const outputName = z.string().regex(/^[\w+.?=-]+$/, 'not a name that an output can have')

const derivationSchema = z.object({
  drv: storePath.endsWith('.drv', 'not the path of a derivation'),
  name: z.string(),
  wanted: z.array(outputName),
  outputs: z.record(outputName, storePath),
})

/** The flake's author can write anything here: what looks like a derivation need not be one. */
export const describedSchema = z.union([z.object({ isA: z.string() }), derivationSchema])

const imageSchema = z.union([
  z.object({ isA: z.string() }),
  derivationSchema.extend({ conf: derivationSchema.optional() }),
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

/**
 * Reads what `describeImage` gave: what is built of the image. That is the description of its layers, where it has one
 * and no certain outputs are asked for.
 * @throws UserError as `readDescription` does
 */
export function readImageDescription(answer: unknown, installable: Installable): Described {
  const image = readDescription(answer, installable)
  const { data } = imageSchema.safeParse(answer)
  if (data === undefined || 'isA' in data || installable.outputs !== undefined) return image
  // As nixpkgs names it.
  if (!data.conf?.name.endsWith('-conf.json')) return image
  return readDescription(data.conf, installable)
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
}
