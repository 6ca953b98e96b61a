import { basename } from 'node:path'
import type { Attested, Published, PublishedImage, Report } from '../report.ts'
import { reproducible } from '../reproduce/summary.ts'
import { code, plain } from '../util/markdown.ts'
import { count, formatBytes, formatSeconds } from '../util/text.ts'
import { shares } from './chart.ts'
import { inspected } from './findings.ts'
import { claims } from './trust.ts'

const most = { listed: 10 } as const

/** Rows of a name and what there is to say, as markdown. */
type Rows = string[][]

/** What is known of a run, as far as it came: first of the image, then of what had to be done for it. */
export function facts(report: Report): Rows {
  return [...imageFacts(report), ...workFacts(report), ...trustFacts(report)]
}

/** What the image is found by, what it is made of, and what is proven about it. */
function imageFacts(report: Report): Rows {
  const { push, attested, loaded, check, tested, sbom, reproducible: again, copy } = report
  const rows: Rows = push === undefined ? [] : publishedFacts(push)
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
function kept(sboms: NonNullable<Report['sbom']>): string[] {
  const ways = sboms.flatMap(({ attached }) => {
    if (attached === undefined) return []
    const how = attached.by === undefined ? 'unsigned' : `attested by ${code(attached.by)}`
    return [`beside the image, ${how}${attached.added ? '' : ', from an earlier run'}`]
  })
  return [...new Set(ways)]
}

function publishedFacts({ images, tags, waiting }: Published): Rows {
  const platforms = (some: readonly PublishedImage[]) => some.map(({ platform }) => code(platform)).join(', ')
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
function signedFacts({ claims }: Attested): Rows {
  const signers = Map.groupBy(claims, ({ by, added }) => `${code(by)}${added ? '' : ', in an earlier run'}`)
  return [...signers].map(([by, claims]) => [
    'Signed',
    `${claims.map(({ what }) => signed[what]).join(' and ')} by ${by}`,
  ])
}

const signed: Readonly<Record<Attested['claims'][number]['what'], string>> = {
  provenance: 'provenance',
  signature: 'image',
  'signature in a tag': 'image (in a tag)',
}

/** The bar: dark what was sent, shaded what the registry took from another image of its own, light what was there. */
function layers(images: readonly PublishedImage[]): string {
  const all = images.flatMap(({ layers }) => layers)
  const became = (what: (typeof all)[number]['how']) => all.filter(({ how }) => how === what)
  const bytes = (some: readonly { readonly size: number }[]) => sum(some.map(({ size }) => size))
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
function trustFacts(report: Report): Rows {
  const { verified, trusted } = claims(report)
  const parts = [
    ['verified', verified],
    ['taken on trust', trusted],
  ] as const
  const told = parts.flatMap(([name, some]) => {
    const shorts = some.map(({ short }) => short).filter(short => short !== '')
    const shown = shorts.slice(0, most.listed)
    return shown.length === 0 ? [] : [`**${name}**: ${shown.join(', ')}${more(shown, shorts)}`]
  })
  return told.length === 0 ? [] : [['Trust', told.join('; ')]]
}

/** What was made, and what was there. */
function workFacts({ build, cache, nix }: Report): Rows {
  const rows: Rows = []
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

function built({ builds }: NonNullable<Report['build']>): string {
  if (builds.length === 0) return 'nothing'
  const slowest = builds.toSorted((a, b) => b.seconds - a.seconds).slice(0, 3)
  const named = slowest.map(({ name, seconds }) => `${code(name)} ${formatSeconds(seconds)}`)
  return `${count(builds.length, 'derivation')}: ${named.join(', ')}${more(slowest, builds)}`
}

function substituted({ cache, upstream, bytes }: NonNullable<Report['build']>['substituted']): string {
  const from = [
    ...(cache === 0 ? [] : [`${count(cache, 'path')} from the cache`]),
    ...(upstream === 0 ? [] : [`${count(upstream, 'path')} from elsewhere`]),
  ]
  return from.length === 0 ? 'nothing' : `${from.join(', ')}; ${formatBytes(bytes)}`
}

/** Of a run that failed it is not known what it would have needed. */
function opened({ status, paths, bytes, limit, fetched }: NonNullable<Report['cache']>): string {
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
export function drawn(bar: string): string {
  return bar === '' ? '' : `${code(bar)} `
}

const origins: Readonly<Record<NonNullable<Report['nix']>['from'], string>> = {
  mirror: 'downloaded and verified',
  'tool-cache': 'from the tool cache',
  'actions-cache': 'from the Actions cache',
  present: 'already on the machine',
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

/** `a b and 3 more`, in the font of code */
function list(all: readonly string[], separator = ' '): string {
  const shown = all.slice(0, most.listed)
  return shown.map(code).join(separator) + more(shown, all)
}

function more(shown: readonly unknown[], all: readonly unknown[]): string {
  const rest = all.length - shown.length
  return rest > 0 ? ` and ${rest} more` : ''
}

/** `v1` of `ghcr.io/o/r:v1` */
function tagOf(reference: string): string {
  return reference.slice(reference.lastIndexOf(':') + 1)
}
