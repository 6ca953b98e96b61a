import { UserError } from '../util/errors.js'
import { harmless } from '../util/harmless.js'
import { count } from '../util/text.js'

/** What a difference is, in a word or two. */
export const kinds = {
  added: 'only in the second build',
  removed: 'only in the first build',
  type: 'a file of another type',
  mode: 'other permissions',
  owner: 'another owner',
  link: 'another link target',
  time: 'a time',
  order: 'another order',
  path: 'a path',
  'build-id': 'the build id',
  packing: 'the same content, compressed differently',
  content: 'other bytes',
}

const advice = {
  added: 'see what decides whether a file is written',
  removed: 'see what decides whether a file is written',
  type: 'see what decides what is written there',
  mode: 'set the permissions in the derivation, with `chmod` or `install -m`',
  owner: 'pack with `tar --owner=0 --group=0 --numeric-owner`',
  link: 'see what decides where the link leads',
  time: 'take times from `SOURCE_DATE_EPOCH`, and pack with `gzip -n`, `tar --mtime=@1`, `ar D`, and `zip -X` after `touch -d @1`',
  order:
    'sort what is listed: `LC_ALL=C sort`, `tar --sort=name`, keys of hash maps; and let nothing depend on which of parallel jobs ends first',
  path: 'keep the folder of the build out of the result: `-ffile-prefix-map=$NIX_BUILD_TOP=.` for C, `-trimpath` for Go, `--remap-path-prefix` for Rust',
  'build-id': 'link with `-Wl,--build-id=none` or `--build-id=sha1`',
  packing: 'compress with `gzip -n`, and with a fixed level and number of threads',
  content:
    'look for random numbers, addresses and names of the machine: `diffoscope` shows such files in full',
}

/** `0x10  2f 62 … |/b…|`: a line of a hex dump. */
export function dump({ from }, hex) {
  if (hex === '') return `0x${from.toString(16)}  (the file has ended)`
  const bytes = Buffer.from(hex, 'hex')
  const text = bytes.toString('latin1').replace(/[^ -~]/g, '.')
  return `0x${from.toString(16)}  ${hex.replace(/(..)(?=.)/g, '$1 ')}  |${text}|`
}

/** Derivations and differences that are said in the error; the report has more. */
const most = { derivations: 10, differences: 5 }

/**
 * What failed, for the step to fail with; undefined when nothing did.
 * @param sandbox whether builds were run in Nix's sandbox
 */
export function failureOf({ derivations }, sandbox) {
  const failed = derivations.filter(({ verdict }) => verdict === 'different' || verdict === 'failed')
  if (failed.length === 0) return undefined
  const built = derivations.filter(({ verdict }) => verdict !== 'skipped')
  const lines = failed.slice(0, most.derivations).flatMap(inLines)
  if (failed.length > most.derivations) lines.push(`and ${failed.length - most.derivations} more`)
  const said = `Not reproducible: built a second time, ${failed.length} of ${count(built.length, 'derivation')} did not come out the same. Nothing was published.`
  const found = new Set(failed.flatMap(({ differences }) => differences.map(({ kind }) => kind)))
  const hints = [
    ...[...found].map(kind => `${kinds[kind]}: ${advice[kind]}`),
    ...(failed.some(isUnknown) ? [unknown] : []),
    ...(failed.some(isUnexplained) ? [unexplained] : []),
    ...(failed.some(({ verdict }) => verdict === 'failed') ? [failedAgain] : []),
    ...(sandbox ? [] : [noSandbox]),
  ]
  return new UserError(harmless([said, ...lines.map(line => `  ${line}`)].join('\n')), {
    advice: `${hints.map(hint => hint.charAt(0).toUpperCase() + hint.slice(1)).join('. ')}.`,
    detail: harmless(failed.slice(0, most.derivations).flatMap(inBytes).join('\n')),
  })
}

const isUnknown = ({ verdict, outputs }) =>
  verdict === 'different' && outputs.every(({ again }) => again === undefined)

/** It is known that it differs, and nothing was found that does. */
const isUnexplained = one => one.verdict === 'different' && !isUnknown(one) && one.differences.length === 0

const unknown =
  'what differs is seen where Nix keeps the second result, which a daemon does for those in `trusted-users` only'
const unexplained =
  'where nothing is said of what differs, `nix build --rebuild --keep-failed` keeps both results on your machine, and `diffoscope` compares them'
const failedAgain =
  'what fails the second time depends on something else than its inputs: the time, the network, how busy the machine is'
const noSandbox =
  'there was no sandbox, so that each build had other paths: some of this may be gone where user namespaces are allowed'

function inLines({ name, verdict, why, differences, more }) {
  if (verdict === 'failed') return [`${name}: ${why}`.split('\n')[0] ?? name]
  const shown = differences.slice(0, most.differences).map(({ where, kind, bytes }) => {
    const at = bytes === undefined ? '' : ` at byte ${bytes.offset}`
    return `  ${where}: ${kinds[kind]}${at}`
  })
  if (more || differences.length > shown.length) shown.push('  and more')
  return [`${name}:`, ...shown]
}

/** The first bytes of both builds, of the first of its differences that has any; else the log of what failed. */
function inBytes({ name, differences, log }) {
  const [first] = differences.flatMap(({ where, bytes }) => (bytes === undefined ? [] : { where, bytes }))
  if (first === undefined) return log === undefined ? [] : [log]
  const { where, bytes } = first
  const title = `${name}, ${where}, first and second build:`
  return [title, dump(bytes, bytes.first), dump(bytes, bytes.second)]
}
