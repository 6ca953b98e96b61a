import * as z from '../vendor/zod.js'
import { UserError } from '../util/errors.js'
import { harmless } from '../util/harmless.js'
import { count } from '../util/text.js'
import { list, nixString, quote } from './attributes.js'
import { describe, describedSchema, readDescription } from './description.js'
import { openFlake } from './flake.js'

const schema = z.union([
  z.object({ missing: z.array(z.string()), names: z.array(z.string()) }),
  z.object({
    found: z.array(z.object({ path: z.array(z.string()), about: describedSchema })),
    others: z.array(z.array(z.string())),
  }),
])

/** Begins the line of a trace that names the attribute which was being evaluated. */
const mark = 'while evaluating for warm: '

/**
 * Evaluates all that a pattern stands for, in one run of Nix. A `*` stands for the attributes of a set that are
 * derivations or, before the pattern's end, have what follows; in a set with one attribute a system it stands for the
 * system of this machine. What is not named is not evaluated.
 * @throws UserError when the pattern matches nothing, or an attribute of it cannot be evaluated
 */
export async function evaluatePattern(options) {
  const { pattern, log, nix, system = nix.system } = options
  return await log.group(`Evaluate ${pattern.text}`, async () => {
    const { source, ask } = await openFlake(options, pattern)
    // A leading dot has Nix take the path as it is: the empty path is all the outputs.
    const reference = `${pattern.flake || '.'}#.`
    const failing = trace => failedIn(trace, pattern)
    const answer = schema.parse(await ask(reference, patternQuery(pattern, system), failing))
    if ('missing' in answer) throw missing(pattern, answer)
    if (answer.found.length === 0) throw nothing(pattern, answer.others)
    const evaluated = answer.found.map(({ path, about }) => {
      const installable = member(pattern, path)
      return Object.freeze({ installable, ...readDescription(about, installable), source })
    })
    for (const { name, outPath } of evaluated) log.info(harmless(`${name}: ${outPath}`))
    log.info(`${pattern.text} stands for ${count(evaluated.length, 'derivation')}`)
    return evaluated
  })
}

/** The Nix function that finds in a flake's outputs what a pattern stands for: gives what `schema` takes. Pure. */
export function patternQuery({ attributes, every }, system) {
  const path = attributes.map((name, index) => (every.includes(index) ? 'null' : nixString(name)))
  return `outputs: let
    describe = ${describe};
    system = ${nixString(system)};
    tell = at: builtins.addErrorContext (${nixString(mark)} + builtins.toJSON at);
    isSet = at: value: tell at (builtins.isAttrs value);
    isDerivation = at: value: isSet at value && tell at ((value.type or null) == "derivation");
    names = set: if set ? \${system} then [ system ] else builtins.attrNames set;
    walk = at: value: rest:
      if rest == [ ] then [ { inherit at value; } ]
      else if !(isSet at value) || isDerivation at value then [ ]
      else let
        name = builtins.head rest;
        below = name: walk (at ++ [ name ]) value.\${name} (builtins.tail rest);
      in if name == null then builtins.concatMap below (names value)
      else if value ? \${name} then below name
      else [ ];
    start = at: value: rest:
      if rest == [ ] || builtins.head rest == null then found (walk at value rest)
      else let name = builtins.head rest; in
        if isSet at value && value ? \${name}
        then start (at ++ [ name ]) value.\${name} (builtins.tail rest)
        else { missing = at ++ [ name ]; names = if isSet at value then builtins.attrNames value else [ ]; };
    found = all: let sorted = builtins.partition ({ at, value }: isDerivation at value) all; in {
      found = map
        ({ at, value }: { path = at; about = let about = describe value; in tell at (builtins.deepSeq about about); })
        sorted.right;
      others = map ({ at, ... }: at) sorted.wrong;
    };
  in start [ ] outputs [ ${path.join(' ')} ]`
}

/** One of the outputs that a pattern stands for. */
function member({ flake, outputs, directory }, attributes) {
  const asked = outputs === undefined ? '' : `^${outputs === 'all' ? '*' : outputs.join(',')}`
  const text = harmless(`${flake || '.'}#${attributes.map(quote).join('.')}${asked}`)
  return Object.freeze({ text, flake, attributes, outputs, directory })
}

/** The attribute of a pattern that was being evaluated when an error came up, by the trace of the error. Pure. */
export function failedIn(trace, pattern) {
  // The trace shows lines of our own query as well.
  const line = trace.split('\n').find(text => text.includes(`${mark}[`)) ?? ''
  const path = line.slice(line.indexOf(mark) + mark.length)
  try {
    return member(pattern, z.array(z.string()).parse(JSON.parse(path)))
  } catch {
    return undefined
  }
}

function missing({ text, flake }, { missing, names }) {
  const full = path => path.map(quote).join('.')
  const above = missing.slice(0, -1)
  const where = above.length === 0 ? 'the flake' : `${flake || '.'}#${full(above)}`
  return new UserError(`${text}: ${where} has no '${missing.at(-1)}'.`, {
    advice:
      names.length === 0
        ? 'A pattern is a whole path of attributes, such as .#checks.x86_64-linux.*'
        : `It has: ${list(names.map(quote))}. A pattern is a whole path of attributes, such as .#checks.x86_64-linux.*`,
  })
}

function nothing({ text }, others) {
  const names = others.map(path => path.map(quote).join('.'))
  return new UserError(`${text} matches nothing${others.length === 0 ? '' : ' that can be built'}.`, {
    advice:
      names.length === 0
        ? 'The set is empty: leave the pattern out, or name another one; `nix flake show` lists the outputs.'
        : `No derivations are: ${list(names)}. Each * goes one level deeper.`,
  })
}
