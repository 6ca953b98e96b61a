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
  const claims: Claim[] = []
  if (inputs.locked > 0)
    claims.push(same(count(inputs.locked, 'flake input'), 'their hashes in <code>flake.lock</code>'))
  for (const [index, { reference }] of bases.entries()) {
    const [name = '', digest = ''] = reference.split('@')
    const short = index === 0 ? count(bases.length, 'base image') : ''
    claims.push({
      short,
      what: `base image ${code(name)}`,
      why: `${code(digest)}, and its hash in the flake`,
    })
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

function trusted({ paths, keys, inputs, pure, machines }: Trust): Claim[] {
  const claims: Claim[] = []
  if (inputs.unlocked > 0) {
    const why = 'whoever serves them today: the source has no <code>flake.lock</code> with them'
    claims.push(same(`${count(inputs.unlocked, 'flake input')} as of today`, why))
  }
  if (!pure) {
    const settings = ['nix-args', 'nix-conf', 'NIX_CONFIG'].map(code)
    const why = `whatever ${settings.join(', ')} let it depend on besides the flake`
    claims.push(same('an impure evaluation', why))
  }
  for (const one of paths.filter(({ by }) => by === 'nothing')) {
    const why =
      one.from === 'cache'
        ? 'jobs of this repository, which built them and saved their hashes'
        : 'that store: no key that is trusted has signed them'
    claims.push(same(pathsFrom(one), why))
  }
  for (const { machine, builds } of machines)
    claims.push(
      same(`${count(builds, 'build')} of ${code(machine)}`, 'that machine: what it sends is not built again'),
    )
  if (paths.some(({ by }) => by === 'signature')) {
    const why = `who has the keys in Nix’s settings: ${keys.map(code).join(', ')}`
    claims.push({ short: '', what: 'signatures', why })
  }
  return claims
}

const same = (what: string, why: string): Claim => ({ short: what, what, why })

/** Of an image that was not built it is remembered what it was made from: a row says so. */
function published({ push }: Report): Claim[] {
  const known = new Set((push?.images ?? []).map(({ known }) => known))
  const what = known.has('source') ? 'this commit' : known.has('output') ? 'the store path' : undefined
  if (what === undefined) return []
  const others = known.has('source') ? '' : ', or whoever may push to the package'
  const why = `the store cache, where an earlier job of this repository said so${others}`
  return [{ short: '', what: `which image ${what} is`, why }]
}

function pathsFrom({ from, paths }: Trust['paths'][number]): string {
  return `${count(paths, 'path')} from ${from === 'cache' ? 'the store cache' : code(from)}`
}
