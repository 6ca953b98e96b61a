import { differenceTable } from '../reproduce/summary.js'
import { code, codeBlock, details, join, plain, table } from '../util/markdown.js'
import { formatBytes, formatSeconds } from '../util/text.js'
import { timeline } from './chart.js'
import { facts } from './facts.js'
import { areHints, findings } from './findings.js'
import { failure, heading } from './heading.js'
import { claims } from './trust.js'

/** GitHub refuses a step's summary above 1 MiB; ours stays far below. */
const most = { listed: 10 }

/**
 * What people look at after main: what was published, what it took, where the time went. Markdown, of which what is not
 * needed at a glance is folded.
 */
export function mainSummary(report) {
  const { push, phases, seconds = 0 } = report
  const chart = timeline(phases, seconds, report.failure?.phase)
  return join([
    `### ${heading(report)}`,
    ...failure(report),
    push === undefined ? '' : codeBlock(`docker pull ${push.name}@${push.digest}`),
    differenceTable(report.reproducible),
    areHints(report) ? '' : findings(report),
    table(['This run', formatSeconds(seconds)], facts(report)),
    chart === '' ? '' : codeBlock(chart),
    more(report),
  ])
}

/** Tables that say more than what is seen without them. */
function more(report) {
  const { push, build, nix } = report
  const builds = build?.builds.map(({ name, seconds }) => [code(name), seconds]) ?? []
  const { verified, trusted } = claims(report)
  const parts = nix?.phases.map(({ name, seconds }) => [plain(name), seconds]) ?? []
  const tables = [
    push !== undefined && push.images.length > 1
      ? longest(['Platform', 'Digest', 'Size', 'Sent'], platforms(push))
      : '',
    areHints(report) ? findings(report) : '',
    longest(
      ['Verified', 'Against'],
      verified.map(({ what, why }) => [what, why]),
    ),
    longest(
      ['Taken on trust', 'On whose word'],
      trusted.map(({ what, why }) => [what, why]),
    ),
    longest(['Store path of the image'], build?.outPaths.map(path => [code(path)]) ?? []),
    builds.length > 3 ? longest(['Slowest derivations', 'Time'], slowest(builds)) : '',
    longest(['Installation of Nix', 'Time'], slowest(parts)),
    longest(['Largest layers that were sent', 'Size'], largestLayers(push)),
  ]
  return tables.every(one => one === '') ? '' : details('Details', ...tables)
}

/** Rows of name and time without those that took none. */
function slowest(rows) {
  return rows
    .filter(([, seconds]) => seconds >= 0.05)
    .toSorted(([, a], [, b]) => b - a)
    .map(([name, seconds]) => [name, formatSeconds(seconds)])
}

function platforms({ images }) {
  return images.map(({ platform, digest, size, uploaded }) => [
    code(platform),
    code(digest),
    formatBytes(size),
    formatBytes(uploaded),
  ])
}

function largestLayers(push) {
  return (push?.images ?? [])
    .flatMap(({ layers }) => layers)
    .filter(({ how }) => how === 'uploaded')
    .toSorted((a, b) => b.size - a.size)
    .map(({ digest, size }) => [code(digest.slice(0, 19)), formatBytes(size)])
}

/** The first rows of a table. */
function longest(head, rows) {
  const rest = rows.length - most.listed
  return join([table(head, rows.slice(0, most.listed)), rest > 0 ? `and ${rest} more` : ''])
}
