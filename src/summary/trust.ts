import type { Report, Trust } from '../report.ts'
import { code, plain } from '../util/markdown.ts'
import { count } from '../util/text.ts'

/**
 * Something that a run relied on: in a few words, empty where something else says it; in full; and what shows it, or whose word it
 * is. Markdown.
 */
type Claim = { readonly short: string; readonly what: string; readonly why: string }

export type Claims = { readonly verified: readonly Claim[]; readonly trusted: readonly Claim[] }

/** What a run held against a digest, a hash or a signature, and what it took on trust. */
export function claims(report: Report): Claims {
  const { trust } = report
  return {
    verified: [...nixVerified(report), ...(trust === undefined ? [] : verified(trust))],
    trusted: [...nixTrusted(report), ...(trust === undefined ? [] : trusted(trust)), ...published(report)],
  }
}

type Kept = Exclude<NonNullable<Report['nix']>['from'], 'mirror'>

const kept: Readonly<Record<Kept, readonly [place: string, who: string]>> = {
  'tool-cache': ['from the tool cache', 'an earlier job of this runner'],
  'actions-cache': ['from the Actions cache', 'an earlier job of this repository'],
  present: ['of this machine, and what was in its store', 'this machine'],
}

/** The row of Nix says where it is from. */
function nixVerified({ nix }: Report): Claim[] {
  if (nix?.from !== 'mirror' || nix.release === undefined) return []
  const { sha256, pinned } = nix.release
  const who = pinned ? 'which this action pins' : 'as <code>nix-sha256</code> says'
  return [{ short: '', what: `Nix ${plain(nix.version)}`, why: `${code(`sha256:${sha256}`)}, ${who}` }]
}

function nixTrusted({ nix }: Report): Claim[] {
  if (nix === undefined || nix.from === 'mirror') return []
  const [place, who] = kept[nix.from]
  const held = nix.release && `, which held it against ${code(`sha256:${nix.release.sha256}`)}`
  return [{ short: '', what: `Nix ${plain(nix.version)} ${place}`, why: `${who}${held ?? ''}` }]
}

function verified({ paths, inputs, bases, downloads }: Trust): Claim[] {
  const all: Claim[] = []
  if (inputs.locked > 0) {
    const what = `${count(inputs.locked, 'input')} of the flake`
    all.push({
      short: `${what} by <code>flake.lock</code>`,
      what,
      why: 'their hashes in <code>flake.lock</code>',
    })
  }
  for (const { reference, hash } of bases) {
    const short = `base image ${code(reference.replace(/@(sha256:.{12}).*/, '@$1…'))}`
    const why = `its hash in the flake: ${code(`${hash.algorithm.replace('r:', '')}:${hash.hash}`)}`
    all.push({ short, what: `Base image ${code(reference)}`, why })
  }
  if (downloads > 0) {
    const what = count(downloads, 'download')
    all.push({ short: `${what} by hash`, what: `${what} of builds`, why: 'their hashes in the flake' })
  }
  for (const [key, some] of bySigner(paths)) {
    const shown = key === undefined ? 'content' : `signature of ${code(key)}`
    const why = key === undefined ? 'their names, which follow from their content' : `the ${shown}`
    const short = `${count(sum(some), 'store path')} by ${shown}`
    for (const [index, one] of some.entries())
      all.push({ short: index === 0 ? short : '', what: pathsFrom(one), why })
  }
  return all
}

function bySigner(paths: Trust['paths']) {
  const vouched = paths.filter(({ by }) => by !== 'nothing')
  return Map.groupBy(vouched, one => (one.by === 'signature' ? one.key : undefined))
}

function trusted({ paths, keys, inputs, pure, machines }: Trust): Claim[] {
  const all: Claim[] = []
  if (inputs.unlocked > 0) {
    const what = `${count(inputs.unlocked, 'input')} of the flake`
    all.push({
      short: `${what} as today`,
      what,
      why: 'whoever serves them today: the source has no <code>flake.lock</code> with them',
    })
  }
  if (!pure)
    all.push({
      short: 'an impure evaluation',
      what: 'The evaluation',
      why: 'whatever <code>nix-args</code>, <code>nix-conf</code> or <code>NIX_CONFIG</code> let it depend on besides the flake',
    })
  for (const one of paths.filter(({ by }) => by === 'nothing')) {
    const what = pathsFrom(one)
    const why =
      one.from === 'cache'
        ? 'jobs of this repository, which built them and saved their hashes'
        : 'that store: no key that is trusted has signed them'
    all.push({ short: what, what, why })
  }
  for (const { machine, builds } of machines) {
    const what = `${count(builds, 'build')} of ${code(machine)}`
    all.push({ short: what, what, why: 'that machine: what it sends is not built again' })
  }
  if (keys.length > 0 && paths.some(({ by }) => by === 'signature'))
    all.push({
      short: '',
      what: 'Signatures',
      why: `who has the keys in Nix’s settings: ${keys.map(code).join(', ')}`,
    })
  return all
}

/** Of an image that was not built it is remembered what it was made from: a row says so. */
function published({ push }: Report): Claim[] {
  const known = new Set((push?.images ?? []).map(({ known }) => known))
  const what = known.has('source') ? 'this commit' : known.has('output') ? 'the store path' : undefined
  if (what === undefined) return []
  const others = known.has('source') ? '' : ', or whoever may push to the package'
  const why = `the store cache, where an earlier job of this repository said so${others}`
  return [{ short: '', what: `Which image ${what} is`, why }]
}

function pathsFrom({ from, paths }: Trust['paths'][number]): string {
  return `${count(paths, 'store path')} from ${from === 'cache' ? 'the store cache' : code(from)}`
}

function sum(some: readonly { readonly paths: number }[]): number {
  return some.reduce((total, { paths }) => total + paths, 0)
}
