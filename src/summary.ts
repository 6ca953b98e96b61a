import type { Report } from './report.ts'
import { differenceTable, reproducible } from './reproduce/summary.ts'
import { code, codeBlock, cut, details, join, plain, quote, table, words } from './util/markdown.ts'
import type { Phase } from './util/phases.ts'
import { count, formatBytes, formatSeconds } from './util/text.ts'

/** GitHub refuses a step's summary above 1 MiB; ours stays far below. */
const most = { listed: 10, findings: 30, lines: 60, text: 4000, logLines: 12, logLine: 500 } as const

/** What people look at after main: what was published, what it cost, where the time went. Markdown. */
export function mainSummary(report: Report): string {
  const { push, build, nix } = report
  return join([
    `### ${heading(report)}`,
    ...failure(report),
    push === undefined ? '' : codeBlock(`docker pull ${push.name}@${push.digest}`),
    differenceTable(report.reproducible),
    table(['What', 'This run'], facts(report)),
    ...findings(report),
    timeTable(report),
    ...more(
      'The slowest of what was built',
      ['Derivation', 'Time'],
      slowest(build?.builds.map(({ name, seconds }) => [code(name), seconds] as const)),
      3,
    ),
    ...more('What the installation of Nix spent its time on', ['Part', 'Time'], slowest(partsOf(nix)), 1),
    ...more('The largest layers that were sent', ['Layer', 'Size'], largestLayers(push)),
  ])
}

function heading({ push, failure, unpushed, build, cache }: Report): string {
  if (failure !== undefined) {
    const what = failure.cancelled ? '🚫 Cancelled' : `❌ ${whatFailed(failure.phase)}`
    // A push that ends early may have published the image, and some of the tags.
    return push !== undefined || failure.phase === 'push' ? what : `${what}: nothing was published`
  }
  if (push === undefined) {
    if (unpushed !== undefined && build === undefined) return `✅ Nothing was published: ${words(unpushed)}`
    if (build === undefined || build.outPaths.length === 0) {
      const done = 'what was asked for is built'
      return cache?.status === 'off' ? `✅ Done: ${done}` : `✅ The store cache is warm: ${done}`
    }
    return `✅ The image was built, not pushed${unpushed === undefined ? '' : `: ${words(unpushed)}`}`
  }
  const name = code(push.name)
  if (push.waiting.length > 0)
    return `⏳ Pushed for ${push.images.map(({ platform }) => code(platform)).join(', ')}: ${name}`
  if (push.changed) return `📦 Published: ${name}`
  if (push.tagged.length === 0) return `✅ Unchanged: ${name}`
  return `🏷️ Unchanged image, ${count(push.tagged.length, 'tag')} set: ${name}`
}

function whatFailed(phase: string | undefined): string {
  if (phase === undefined) return 'Failed'
  return phase === 'test' ? 'The test failed' : `Could not ${plain(phase)}`
}

function failure({ failure }: Report): string[] {
  if (failure === undefined) return []
  const { message, advice, detail } = failure
  const lines = message.split('\n')
  const shown = lines.slice(0, most.lines).join('\n')
  return [
    quote(cut(shown, most.text) + (lines.length > most.lines ? '\n…' : '')),
    advice === undefined ? '' : `**What to do**: ${words(cut(advice, most.text))}`,
    detail === undefined ? '' : codeBlock(endOf(detail)),
  ]
}

/** What went wrong is at the end of a log. */
function endOf(detail: string): string {
  const lines = detail.trimEnd().split(/\r\n?|\n/)
  const last = lines.slice(-most.logLines).map(line => cut(line, most.logLine))
  return [...(lines.length > last.length ? ['…'] : []), ...last].join('\n')
}

function facts(report: Report): string[][] {
  const { push, attested, loaded, check, tested, sbom, build, reproducible: again, copy, cache, nix } = report
  const rows: string[][] = []
  if (push !== undefined) {
    const own = push.images.filter(({ known }) => known !== 'job')
    const layers = own.flatMap(({ layers }) => layers)
    const became = (what: (typeof layers)[number]['how']) => layers.filter(({ how }) => how === what).length
    const [size, sent] = [own.map(({ size }) => size), own.map(({ uploaded }) => uploaded)].map(sum)
    const mounted = became('mounted') === 0 ? '' : `${became('mounted')} mounted from another image, `
    const tags = push.tags.slice(0, most.listed).map(reference => code(tagOf(reference)))
    if (push.waiting.length > 0) {
      const missing = push.waiting.map(code).join(', ')
      rows.push([
        'Waiting',
        `for ${missing}: the job that pushes the last platform publishes index and tags; if there is none, name all in <code>systems</code> here`,
      ])
    } else
      rows.push(['Tags', tags.length === 0 ? '**none**: pushed by its digest only' : list(tags, push.tags)])
    const platforms = push.images.map(({ platform }) => code(platform))
    rows.push([platforms.length === 1 ? 'Platform' : 'Platforms', platforms.join(', ')])
    const others = push.images.filter(({ known }) => known === 'job').map(({ platform }) => code(platform))
    if (others.length > 0) rows.push(['Pushed by other jobs', others.join(', ')])
    if (own.length > 0)
      rows.push([
        'Layers',
        `${count(layers.length, 'layer')}, ${formatBytes(size ?? 0)}: ${became('uploaded')} uploaded, ` +
          `${mounted}${became('present')} already there; ${formatBytes(sent ?? 0)} sent`,
      ])
    for (const { platform, known } of own) {
      if (known === undefined) continue
      const by =
        known === 'source' ? 'this commit was published before' : 'its store path was published before'
      rows.push(['Not built', own.length === 1 ? by : `${code(platform)}: ${by}`])
    }
  }
  for (const { what, by, added } of attested?.claims ?? [])
    rows.push([attestedAs[what], `by ${code(by)}${added ? '' : ', from an earlier run'}`])
  if (loaded !== undefined) {
    const references = loaded.references.slice(0, most.listed).map(code)
    rows.push(['Loaded', `into ${loaded.into}: ${list(references, loaded.references) || code(loaded.id)}`])
  }
  if (check !== undefined) rows.push(['Inspection', inspected(check)])
  if (tested !== undefined) {
    const lines = list(tested.lines.slice(0, most.listed).map(code), tested.lines, ', ')
    rows.push(['Tested', `with ${tested.with} in ${formatSeconds(tested.seconds)}: ${lines}`])
  }
  for (const { platform, files, attached } of sbom ?? [])
    rows.push(['SBOM', `${code(platform)}: ${files.map(code).join(' ')}${attached ? besides(attached) : ''}`])
  if (build !== undefined) {
    const paths = build.outPaths.map(code)
    if (paths.length > 0) rows.push([paths.length === 1 ? 'Store path' : 'Store paths', paths.join(' ')])
    rows.push(['Built', built(build)])
    if (build.failed.length > 0)
      rows.push(['Failed', list(build.failed.slice(0, most.listed).map(code), build.failed)])
    rows.push(['Substituted', substituted(build.substituted)])
  }
  if (again !== undefined) rows.push(['Reproducible', reproducible(again)])
  if (copy !== undefined) {
    const { paths, to } = copy
    rows.push(['Copied', `${paths === 0 ? 'nothing new' : count(paths, 'path')} to ${code(to)}`])
  }
  if (cache !== undefined) rows.push(['Cache', opened(cache)])
  if (nix !== undefined) {
    const sandbox = nix.sandbox ? 'sandbox on' : 'sandbox **off**'
    rows.push(['Nix', `${plain(nix.version)}, ${origins[nix.from]}, ${sandbox}`])
  }
  return rows
}

function inspected({ findings, ignored, uninspected }: NonNullable<Report['check']>): string {
  const found = (['error', 'warning', 'hint'] as const).flatMap(severity => {
    const number = findings.filter(finding => finding.severity === severity).length
    return number === 0 ? [] : [count(number, severity)]
  })
  const turnedOff = ignored.length === 0 ? '' : `; turned off: ${ignored.map(code).join(', ')}`
  const not = uninspected.length === 0 ? [] : [`**not inspected**: ${uninspected.map(code).join(', ')}`]
  return ([...found, ...not].join(', ') || 'nothing amiss') + turnedOff
}

const marks = { error: '❌', warning: '⚠️', hint: '💡' } as const

/** Hints alone are no reason to take up a screen. */
function findings({ check }: Report): string[] {
  const all = check?.findings ?? []
  const several = new Set(all.map(({ platform }) => platform)).size > 1
  const rows = all.slice(0, most.findings).map(({ rule, severity, place, why, fix, platform }) => {
    const where = `${code(place)}${several ? ` (${plain(platform)})` : ''}`
    return [`${marks[severity]} ${code(rule)}`, where, words(cut(why, 1000)), words(cut(fix, 1000))]
  })
  const rest = all.length - rows.length
  if (rest > 0) rows.push(['…', '', `${count(rest, 'more finding')}: see the log`, ''])
  const shown = table(['Inspection', 'Where', 'What happens', 'What to write'], rows)
  return all.some(({ severity }) => severity !== 'hint')
    ? [shown]
    : [
        shown === ''
          ? ''
          : details(count(all.length, 'hint of the inspection', 'hints of the inspection'), shown),
      ]
}

function built({ builds }: NonNullable<Report['build']>): string {
  if (builds.length === 0) return 'nothing'
  const slowest = builds.toSorted((a, b) => b.seconds - a.seconds).slice(0, 3)
  const named = slowest.map(({ name, seconds }) => `${code(name)} ${formatSeconds(seconds)}`)
  return `${count(builds.length, 'derivation')}: ${list(named, builds, ', ')}`
}

type Substituted = NonNullable<Report['build']>['substituted']

function substituted({ cache, upstream, bytes }: Substituted): string {
  if (cache + upstream === 0) return 'nothing'
  return `${count(cache, 'path')} from the cache, ${count(upstream, 'path')} from elsewhere; ${formatBytes(bytes)}`
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

/** Of a run that failed it is not known what it would have needed. */
function opened({ status, paths, bytes, fetched }: NonNullable<Report['cache']>): string {
  if (status === 'off') return 'off'
  const held =
    paths === 0 ? 'it had nothing to give' : `it held ${count(paths, 'path')}, ${formatBytes(bytes)}`
  const came =
    fetched === undefined || fetched.packs === 0
      ? ''
      : `; ${count(fetched.packs, 'pack')} fetched, ${formatBytes(fetched.bytes)}`
  return (status === undefined ? held : `**${status}**; ${held}`) + came
}

function besides({ by, added }: NonNullable<NonNullable<Report['sbom']>[number]['attached']>): string {
  const how = by === undefined ? 'unsigned' : `attested by ${code(by)}`
  return `; beside the image, ${how}${added ? '' : ', from an earlier run'}`
}

const attestedAs = {
  provenance: 'Provenance',
  signature: 'Signed',
  'signature in a tag': 'Signed in a tag',
} as const

const origins: Readonly<Record<NonNullable<Report['nix']>['from'], string>> = {
  mirror: 'downloaded and verified',
  'tool-cache': 'from the tool cache',
  'actions-cache': 'from the Actions cache',
  present: 'already on the machine',
}

/** In the order of their start: those that ran at the same time add up to more than the whole. */
function timeTable({ phases, seconds }: Report): string {
  const rows = phases
    .toSorted((a, b) => a.start - b.start)
    .map(phase => [
      `${plain(phase.name)}${phases.some(other => overlap(phase, other)) ? ' (in parallel)' : ''}`,
      formatSeconds(phase.start),
      formatSeconds(phase.seconds),
    ])
  if (rows.length > 0 && seconds !== undefined) rows.push(['**Total**', '', `**${formatSeconds(seconds)}**`])
  return table(['Phase', 'Begun at', 'Time'], rows)
}

/** Longer than the clock's grain. */
function overlap(one: Phase, other: Phase): boolean {
  const end = Math.min(one.start + one.seconds, other.start + other.seconds)
  return one !== other && end - Math.max(one.start, other.start) > 0.001
}

type Row = readonly [name: string, seconds: number]

function partsOf(nix: Report['nix']): Row[] {
  return (nix?.phases ?? []).map(({ name, seconds }) => [plain(name), seconds])
}

/** Rows of name and time without those that took none. */
function slowest(rows: readonly Row[] = []): string[][] {
  return rows
    .filter(([, seconds]) => seconds >= 0.05)
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, seconds]) => [name, formatSeconds(seconds)])
}

function largestLayers(push: Report['push']): string[][] {
  return (push?.images ?? [])
    .flatMap(({ layers }) => layers)
    .filter(({ how }) => how === 'uploaded')
    .toSorted((a, b) => b.size - a.size)
    .map(({ digest, size }) => [code(digest.slice(0, 19)), formatBytes(size)])
}

/** A folded table, where it says more than what is seen without it: `known` rows. */
function more(title: string, head: readonly string[], rows: readonly string[][], known = 0): string[] {
  return rows.length <= known ? [] : [details(title, table(head, rows.slice(0, most.listed)))]
}

/** `a b and 3 more` */
function list(shown: readonly string[], all: readonly unknown[], separator = ' '): string {
  const rest = all.length - shown.length
  return shown.join(separator) + (rest > 0 ? ` and ${rest} more` : '')
}

/** `v1` of `ghcr.io/o/r:v1` */
function tagOf(reference: string): string {
  return reference.slice(reference.lastIndexOf(':') + 1)
}
