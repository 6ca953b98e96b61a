import * as z from '../vendor/zod.js'
import { runNix } from '../nix/cli.js'
import { UserError } from '../util/errors.js'

/** The failure when the flake has no such output: with those that it has. */
export async function missingAttribute(error, failure) {
  const [installable] = failure.installables
  if (installable === undefined || !/^flake '.*' does not provide attribute/.test(error.what))
    return undefined
  const { text, flake, attributes } = installable
  const { system = failure.nix.system } = failure
  const path = attributes.length > 0 ? attributes : ['default']
  const there = await neighbours(path, failure).catch(() => undefined)
  const missing = `${text}: the flake has no output '${path.join('.')}'`
  if (there === undefined) {
    return new UserError(`${missing}.`, { advice: '`nix flake show` lists the outputs that there are.' })
  }
  if (there.names.length === 0) {
    return new UserError(
      there.systems.length === 0
        ? `${missing}, and no packages at all.`
        : `${missing} for ${system}. It has packages for ${there.systems.join(', ')}.`,
      { advice: `Add packages.${system}.${path.at(-1)} to the flake's outputs.` },
    )
  }
  const like = closest(path.at(-1) ?? '', there.names)
  const full = name => `${flake || '.'}#${[...there.prefix, name].map(quote).join('.')}`
  return new UserError(`${missing}. It has: ${list(there.names.map(quote))}.`, {
    advice:
      like === undefined
        ? `Name one of these, such as ${full(there.names[0] ?? '')}.`
        : `Did you mean ${full(like)}?`,
  })
}

const schema = z.object({
  systems: z.array(z.string()),
  prefix: z.array(z.string()),
  names: z.array(z.string()),
})

/**
 * Asks the flake for the names beside a missing attribute: those of the deepest attribute set on the way to it, which
 * starts at the outputs or, as Nix has it, at the packages of the system.
 */
async function neighbours(path, failure) {
  const { nix, workspace, args, installables } = failure
  const system = nixString(failure.system ?? nix.system)
  const query = `outputs: let
    path = [ ${path.map(nixString).join(' ')} ];
    packages = outputs.packages or { };
    base =
      if outputs ? \${builtins.head path} then outputs
      else packages.\${${system}} or outputs.legacyPackages.\${${system}} or { };
    go = prefix: set: rest:
      if rest != [ ] && builtins.isAttrs (set.\${builtins.head rest} or null)
        && (set.\${builtins.head rest}.type or null) != "derivation"
      then go (prefix ++ [ (builtins.head rest) ]) set.\${builtins.head rest} (builtins.tail rest)
      else { inherit prefix; names = builtins.attrNames set; };
  in go [ ] base path // { systems = builtins.attrNames packages; }`
  // A leading dot has Nix take the path as it is: the empty path is all the outputs.
  const flake = `${installables[0]?.flake || '.'}#.`
  const result = await runNix(
    nix,
    'nix',
    [
      'eval',
      '--json',
      flake,
      '--apply',
      query,
      '--extra-experimental-features',
      'nix-command flakes',
      ...args,
    ],
    { cwd: workspace },
  )
  return result.code === 0 ? schema.parse(JSON.parse(result.stdout)) : undefined
}

/** A text as a literal of the Nix language. */
export function nixString(text) {
  return `"${text.replace(/["\\]|\$(?=\{)/g, '\\$&')}"`
}

/** An attribute's name as it stands between the dots of an installable. */
export function quote(name) {
  return /^[a-zA-Z_][\w'-]*$/.test(name) ? name : `"${name}"`
}

const mostNames = 30

/** The first 30 names, and how many more there are. */
export function list(names) {
  const rest = names.length - mostNames
  return `${names.slice(0, mostNames).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}

/** The name that differs least, if few letters differ or one contains the other. Pure. */
export function closest(name, names) {
  const contains = (long, short) => short.length >= 3 && long.includes(short)
  const ranked = names
    .map(other => {
      const distance = editDistance(name.toLowerCase(), other.toLowerCase())
      return {
        other,
        distance: contains(name, other) || contains(other, name) ? Math.min(2, distance) : distance,
      }
    })
    .toSorted((a, b) => a.distance - b.distance)
  const [best] = ranked
  return best !== undefined && best.distance <= Math.max(2, name.length / 3) ? best.other : undefined
}

/** Levenshtein's distance. */
function editDistance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1]
    for (const [j, other] of [...b].entries()) {
      next.push(
        Math.min((next[j] ?? 0) + 1, (row[j + 1] ?? 0) + 1, (row[j] ?? 0) + (letter === other ? 0 : 1)),
      )
    }
    row = next
  }
  return row.at(-1) ?? 0
}
