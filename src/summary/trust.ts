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

function verified({ paths, locked, bases, downloads }: Trust): Claim[] {
  const claims: Claim[] = []
  if (locked > 0) {
    const why = 'their hashes in <code>flake.lock</code>'
    claims.push(same(count(locked, 'flake input'), why))
  }
  for (const [index, { reference, hash }] of bases.entries()) {
    const short = index === 0 ? count(bases.length, 'base image') : ''
    const why = `its hash in the flake: ${code(`${hash.algorithm.replace('r:', '')}:${hash.hash}`)}`
    claims.push({ short, what: `base image ${code(reference.replace(/@.*/, ''))}`, why })
  }
  if (downloads > 0) claims.push(same(count(downloads, 'download'), 'their hashes in the flake'))
  const vouched = paths.filter(({ by }) => by !== 'nothing')
  const number = vouched.reduce((sum, { paths }) => sum + paths, 0)
  for (const [index, one] of vouched.entries()) {
    const why =
      one.by === 'signature'
        ? `the signature of ${code(one.key)}`
        : 'their names, which follow from their content'
    claims.push({ short: index === 0 ? count(number, 'path') : '', what: pathsFrom(one), why })
  }
  return claims
}

function trusted({ paths, keys, unlocked, pure, bases, machines }: Trust): Claim[] {
  const claims: Claim[] = []
  if (unlocked > 0) {
    const why = 'whoever serves them: neither <code>flake.lock</code> nor their names say which they are'
    claims.push(same(count(unlocked, 'unpinned flake'), why))
  }
  if (!pure) {
    const settings = ['nix-args', 'nix-conf', 'NIX_CONFIG'].map(code)
    const why = `whoever set ${settings.join(', ')}: by these it may depend on more than the flake`
    claims.push(same('evaluation by looser settings', why))
  }
  for (const { reference } of bases) {
    const [name = '', digest = ''] = reference.split('@')
    const why = `the flake, ${code(digest)}: it is a name, and the hash is what was compared`
    claims.push({ short: '', what: `the digest of ${code(name)}`, why })
  }
  for (const one of paths.filter(({ by }) => by === 'nothing')) {
    const why =
      one.from === 'cache'
        ? 'jobs of this repository, which saved them and their hashes'
        : 'that store: no key that is trusted has signed them'
    claims.push(same(pathsFrom(one), why))
  }
  for (const { machine, builds } of machines) {
    const what = `${count(builds, 'build')} of ${code(machine)}`
    claims.push(same(what, 'that machine: what it sends is not built again'))
  }
  if (paths.some(({ by }) => by === 'signature')) {
    const why = `whoever holds the keys that Nix’s settings name: ${keys.map(code).join(', ')}`
    claims.push({ short: '', what: 'signatures', why })
  }
  return claims
}

const same = (what: string, why: string): Claim => ({ short: what, what, why })

/** What was not made again is remembered; of an image that was not built a row of its own says so. */
function published({ push }: Report): Claim[] {
  const images = push?.images ?? []
  const known = new Set(images.map(({ known }) => known))
  const claims: Claim[] = []
  const what = known.has('source') ? 'this commit' : known.has('output') ? 'the store path' : undefined
  const record = 'an earlier job of this repository, by its record in the store cache'
  const others = '; whoever may push to the package could have written it, too'
  if (what !== undefined)
    claims.push({
      ...{ short: '', what: `that the image of ${what} is the published one` },
      why: known.has('source') ? record : record + others,
    })
  const recalled = images.flatMap(({ layers }) => layers).filter(({ recalled }) => recalled)
  if (recalled.length > 0)
    claims.push(same(`${count(recalled.length, 'layer')} not made again`, record + others))
  return claims
}

function pathsFrom({ from, paths }: Trust['paths'][number]): string {
  return `${count(paths, 'path')} from ${from === 'cache' ? 'the store cache' : code(from)}`
}
