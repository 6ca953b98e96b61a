import { basename } from 'node:path'

import { reproducible } from '../reproduce/summary.js'
import { code, plain } from '../util/markdown.js'
import { count, formatBytes, formatSeconds } from '../util/text.js'
import { shares } from './chart.js'
import { inspected } from './findings.js'
import { claims } from './trust.js'

const most = { listed: 10 }

/** What is known of a run, as far as it came: first of the image, then of what had to be done for it. */
export function facts(report) {
  return [...imageFacts(report), ...workFacts(report), ...trustFacts(report)]
}

/** What the image is found by, what it is made of, and what is proven about it. */
function imageFacts(report) {
  const { push, attested, loaded, check, tested, sbom, reproducible: again, copy } = report
  const rows = push === undefined ? [] : publishedFacts(push)
  if (attested !== undefined) rows.push(...signedFacts(attested))
  if (check !== undefined) rows.push(['Inspection', inspected(check)])
  if (tested !== undefined) {
    const lines = list(tested.lines, ', ')
    rows.push(['Tested', `with ${tested.with} in ${formatSeconds(tested.seconds)}: ${lines}`])
  }
  if (again !== undefined) rows.push(['Reproducible', reproducible(again)])
  if (loaded !== undefined)
    rows.push(['Loaded', `into ${loaded.into}: ${list(loaded.references) || code(loaded.id)}`])
  const documents = sbom?.flatMap(({ files }) => files.map(file => basename(file))) ?? []
  if (documents.length > 0) rows.push(['SBOM', [list(documents), ...kept(sbom ?? [])].join('; ')])
  if (copy !== undefined) {
    const { paths, to } = copy
    rows.push(['Copied', `${paths === 0 ? 'nothing new' : count(paths, 'path')} to ${code(to)}`])
  }
  return rows
}

/** How SBOMs are kept beside their images: mostly all in one way. */
function kept(sboms) {
  const ways = sboms.flatMap(({ attached }) => {
    if (attached === undefined) return []
    const how = attached.by === undefined ? 'unsigned' : `attested by ${code(attached.by)}`
    return [`beside the image, ${how}${attached.added ? '' : ', from an earlier run'}`]
  })
  return [...new Set(ways)]
}

function publishedFacts({ images, tags, waiting }) {
  const platforms = some => some.map(({ platform }) => code(platform)).join(', ')
  const own = images.filter(({ known }) => known !== 'job')
  const others = images.filter(({ known }) => known === 'job')
  const missing = waiting.map(code).join(', ')
  const rows = [
    waiting.length > 0
      ? [
          'Waiting',
          `for ${missing}: the job that pushes the last platform publishes index and tags; if there is none, name all in <code>systems</code> here`,
        ]
      : ['Tags', tags.length === 0 ? '**none**: pushed by its digest only' : list(tags.map(tagOf))],
    [images.length === 1 ? 'Platform' : 'Platforms', platforms(images)],
  ]
  if (others.length > 0) rows.push(['Pushed by other jobs', platforms(others)])
  if (own.length > 0) rows.push(['Layers', layers(own)])
  for (const [known, those] of Map.groupBy(own, ({ known }) => known)) {
    if (known === undefined) continue
    const by = known === 'source' ? 'this commit was published before' : 'its store path was published before'
    rows.push(['Not built', those.length === own.length ? by : `${platforms(those)}: ${by}`])
  }
  return rows
}

/** A row for each that has signed, mostly one. */
function signedFacts({ claims }) {
  const signers = Map.groupBy(claims, ({ by, added }) => `${code(by)}${added ? '' : ', in an earlier run'}`)
  return [...signers].map(([by, claims]) => [
    'Signed',
    `${claims.map(({ what }) => signed[what]).join(' and ')} by ${by}`,
  ])
}

const signed = {
  provenance: 'provenance',
  signature: 'image',
  'signature in a tag': 'image (in a tag)',
}

/** The bar: dark what was sent, shaded what the registry took from another image of its own, light what was there. */
function layers(images) {
  const all = images.flatMap(({ layers }) => layers)
  const became = what => all.filter(({ how }) => how === what)
  const bytes = some => sum(some.map(({ size }) => size))
  const [uploaded, mounted] = [became('uploaded'), became('mounted')]
  const sent = sum(images.map(({ uploaded }) => uploaded))
  const bar = shares([bytes(uploaded), bytes(mounted)], bytes(all))
  const there = became('present').length
  const parts = [
    ...(uploaded.length === 0 ? [] : [`${uploaded.length} uploaded`]),
    ...(mounted.length === 0 ? [] : [`${mounted.length} mounted`]),
    ...(there === 0 ? [] : [`${there === all.length ? 'all' : there} already there`]),
  ]
  const of = `${formatBytes(sent)} sent of ${formatBytes(bytes(images))}`
  return `${drawn(bar)}${of}; ${count(all.length, 'layer')}: ${parts.join(', ')}`
}

/** In a few words, what no other row says; the whole of it is among the details. */
function trustFacts(report) {
  const { verified, trusted } = claims(report)
  const parts = [
    ['verified', verified],
    ['taken on trust', trusted],
  ]
  const told = parts.flatMap(([name, some]) => {
    const shorts = some.map(({ short }) => short).filter(short => short !== '')
    const shown = shorts.slice(0, most.listed)
    return shown.length === 0 ? [] : [`**${name}**: ${shown.join(', ')}${more(shown, shorts)}`]
  })
  return told.length === 0 ? [] : [['Trust', told.join('; ')]]
}

/** What was made, and what was there. */
function workFacts({ build, cache, nix }) {
  const rows = []
  if (build !== undefined) {
    rows.push(['Built', built(build)])
    if (build.failed.length > 0) rows.push(['Failed', list(build.failed)])
    rows.push(['Substituted', substituted(build.substituted)])
  }
  if (cache !== undefined) rows.push(['Cache', opened(cache)])
  if (nix !== undefined) {
    const sandbox = nix.sandbox ? 'sandbox on' : 'sandbox **off**'
    rows.push(['Nix', `${plain(nix.version)}, ${origins[nix.from]}, ${sandbox}`])
  }
  return rows
}

function built({ builds }) {
  if (builds.length === 0) return 'nothing'
  const slowest = builds.toSorted((a, b) => b.seconds - a.seconds).slice(0, 3)
  const named = slowest.map(({ name, seconds }) => `${code(name)} ${formatSeconds(seconds)}`)
  return `${count(builds.length, 'derivation')}: ${named.join(', ')}${more(slowest, builds)}`
}

function substituted({ cache, upstream, bytes }) {
  const from = [
    ...(cache === 0 ? [] : [`${count(cache, 'path')} from the cache`]),
    ...(upstream === 0 ? [] : [`${count(upstream, 'path')} from elsewhere`]),
  ]
  return from.length === 0 ? 'nothing' : `${from.join(', ')}; ${formatBytes(bytes)}`
}

/** Of a run that failed it is not known what it would have needed. */
function opened({ status, paths, bytes, limit, fetched }) {
  if (status === 'off') return 'off'
  const size = limit === undefined ? formatBytes(bytes) : `${formatBytes(bytes)} of ${formatBytes(limit)}`
  const bar = drawn(shares([bytes], limit ?? 0))
  const held = paths === 0 ? 'it was empty' : `it held ${count(paths, 'path')}, ${bar}${size}`
  const came =
    fetched === undefined || fetched.packs === 0
      ? ''
      : `; ${count(fetched.packs, 'pack')} fetched, ${formatBytes(fetched.bytes)}`
  return (status === undefined ? held : `**${status}**; ${held}`) + came
}

/** A bar before the words that say what it shows. */
export function drawn(bar) {
  return bar === '' ? '' : `${code(bar)} `
}

const origins = {
  mirror: 'downloaded and verified',
  'tool-cache': 'from the tool cache',
  'actions-cache': 'from the Actions cache',
  present: 'already on the machine',
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0)
}

/** `a b and 3 more`, in the font of code */
function list(all, separator = ' ') {
  const shown = all.slice(0, most.listed)
  return shown.map(code).join(separator) + more(shown, all)
}

function more(shown, all) {
  const rest = all.length - shown.length
  return rest > 0 ? ` and ${rest} more` : ''
}

/** `v1` of `ghcr.io/o/r:v1` */
function tagOf(reference) {
  return reference.slice(reference.lastIndexOf(':') + 1)
}
