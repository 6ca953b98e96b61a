import { code, plain } from '../util/markdown.js'
import { count } from '../util/text.js'

/** What a run held against a digest, a hash or a signature, and what it took on trust. */
export function claims(report) {
  const { trust } = report
  return {
    verified: [...nixVerified(report), ...(trust === undefined ? [] : verified(trust))],
    trusted: [...nixTrusted(report), ...(trust === undefined ? [] : trusted(trust)), ...published(report)],
  }
}

const kept = {
  'tool-cache': ['from the tool cache', 'an earlier job of this runner'],
  'actions-cache': ['from the Actions cache', 'an earlier job of this repository'],
  present: ['of this machine, and what was in its store', 'this machine'],
}

/** The row of Nix says where it is from. */
function nixVerified({ nix }) {
  if (nix?.from !== 'mirror' || nix.release === undefined) return []
  const { sha256, pinned } = nix.release
  const who = pinned ? 'which this action pins' : 'as <code>nix-sha256</code> says'
  return [{ short: '', what: `Nix ${plain(nix.version)}`, why: `${code(`sha256:${sha256}`)}, ${who}` }]
}

function nixTrusted({ nix }) {
  if (nix === undefined || nix.from === 'mirror') return []
  const [place, who] = kept[nix.from]
  const held = nix.release && `, which held it against ${code(`sha256:${nix.release.sha256}`)}`
  return [{ short: '', what: `Nix ${plain(nix.version)} ${place}`, why: `${who}${held ?? ''}` }]
}

function verified({ paths, inputs, bases, downloads }) {
  const all = []
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

function bySigner(paths) {
  const vouched = paths.filter(({ by }) => by !== 'nothing')
  return Map.groupBy(vouched, one => (one.by === 'signature' ? one.key : undefined))
}

function trusted({ paths, keys, inputs, pure, machines }) {
  const all = []
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
function published({ push }) {
  const known = new Set((push?.images ?? []).map(({ known }) => known))
  const what = known.has('source') ? 'this commit' : known.has('output') ? 'the store path' : undefined
  if (what === undefined) return []
  const others = known.has('source') ? '' : ', or whoever may push to the package'
  const why = `the store cache, where an earlier job of this repository said so${others}`
  return [{ short: '', what: `Which image ${what} is`, why }]
}

function pathsFrom({ from, paths }) {
  return `${count(paths, 'store path')} from ${from === 'cache' ? 'the store cache' : code(from)}`
}

function sum(some) {
  return some.reduce((total, { paths }) => total + paths, 0)
}
