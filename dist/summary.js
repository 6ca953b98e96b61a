import { count, formatBytes, formatSeconds } from './util/text.js'

/** GitHub refuses a step's summary above 1 MiB; ours stays far below. */
const maxListed = 10

/** What people look at after main: what was published, what it cost, where the time went. Markdown. */
export function mainSummary(report) {
  return [
    heading(report),
    ...(report.failure === undefined ? [] : [quote(report.failure)]),
    ...(report.push === undefined
      ? []
      : [codeBlock(`docker pull ${report.push.name}@${report.push.digest}`)]),
    table(facts(report)),
    table(times(report), ['Phase', 'Time', 'Of which']),
  ].join('\n\n')
}

function times({ phases, nix }) {
  const parts = (nix?.phases ?? []).map(({ name, seconds }) => `${name} ${formatSeconds(seconds)}`).join(', ')
  return phases.map(({ name, seconds }) => [
    name,
    formatSeconds(seconds),
    name === 'install Nix' ? plain(parts) : '',
  ])
}

function heading({ push, failure, unpushed, build }) {
  if (failure !== undefined)
    return push === undefined ? '### ❌ Failed: nothing was published' : '### ❌ Failed'
  if (push === undefined) {
    if (build?.outPath === undefined) return '### ✅ The store cache is warm'
    return `### ✅ The image was built, not pushed${unpushed === undefined ? '' : `: ${plain(unpushed)}`}`
  }
  return `### ${push.changed ? '📦 Published' : '✅ Unchanged'}: ${code(push.name)}`
}

function facts({ push, build, cache, nix }) {
  const rows = []
  if (push !== undefined) {
    const sent = push.layers.filter(layer => layer.how === 'uploaded')
    rows.push(['Tags', push.tags.slice(0, maxListed).map(tagOf).map(code).join(' ') + more(push.tags.length)])
    rows.push(['Platform', code(push.platform)])
    rows.push([
      'Layers',
      `${count(push.layers.length, 'layer')}, ${formatBytes(push.size)}: ${sent.length} uploaded, ` +
        `${push.layers.length - sent.length} already there; ${formatBytes(push.uploaded)} sent`,
    ])
  }
  if (build !== undefined) {
    const slowest = build.builds.toSorted((a, b) => b.seconds - a.seconds).slice(0, 3)
    const named = slowest.map(({ name, seconds }) => `${code(name)} ${formatSeconds(seconds)}`).join(', ')
    rows.push([
      'Built',
      build.builds.length === 0
        ? 'nothing'
        : `${count(build.builds.length, 'derivation')}: ${named}${more(build.builds.length, 3)}`,
    ])
    const { substituted } = build
    rows.push([
      'Substituted',
      `${count(substituted.cache, 'path')} from the cache, ${count(substituted.upstream, 'path')} from elsewhere`,
    ])
  }
  if (cache !== undefined) {
    rows.push([
      'Cache',
      cache.paths === 0
        ? cache.status
        : `${cache.status}: opened with ${count(cache.paths, 'path')}, ${formatBytes(cache.bytes)}`,
    ])
  }
  if (nix !== undefined) {
    rows.push([
      'Nix',
      `${plain(nix.version)}, ${origins[nix.from]}, sandbox ${nix.sandbox ? 'on' : '**off**'}`,
    ])
  }
  return rows
}

const origins = {
  mirror: 'downloaded and verified',
  'tool-cache': 'from the tool cache',
  'actions-cache': 'from the Actions cache',
  present: 'already on the machine',
}

/** What people look at after post: what the cache gained and lost, against its bound. Markdown. */
export function postSummary(saved, phases) {
  const { after, added, dropped, limit } = saved
  const change = (sign, { paths, bytes }) =>
    paths === 0 ? 'nothing' : `${sign}${count(paths, 'path')}, ${formatBytes(bytes)}`
  return [
    `#### Store cache: ${outcomes[saved.outcome]}`,
    ...(saved.why === undefined ? [] : [plain(saved.why)]),
    table([
      ['Holds', `${count(after.paths, 'path')}, ${formatBytes(after.bytes)} of ${formatBytes(limit)}`],
      ['Added', change('+', added)],
      ['Dropped', change('−', dropped)],
      ['Uploaded', formatBytes(saved.uploaded)],
      ...phases.map(({ name, seconds }) => [`Time to ${name}`, formatSeconds(seconds)]),
    ]),
  ].join('\n\n')
}

const outcomes = {
  saved: 'saved',
  unchanged: 'nothing new, nothing uploaded',
  denied: 'read only',
  failed: 'not saved',
}

function tagOf(reference) {
  return reference.slice(reference.lastIndexOf(':') + 1)
}

function more(length, shown = maxListed) {
  return length > shown ? ` and ${length - shown} more` : ''
}

/** Text that markdown and HTML leave alone, also within a table's cell. */
function plain(text) {
  return text
    .replace(/[&<>]/g, char => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[char] ?? char)
    .replace(/[\\`*_{}[\]#|~]/g, '\\$&')
    .replace(/\s*\n\s*/g, ' ')
}

function code(text) {
  return `<code>${plain(text)}</code>`
}

function codeBlock(text) {
  return `\`\`\`\n${text}\n\`\`\``
}

function quote(text) {
  return text
    .slice(0, 4000)
    .split('\n')
    .slice(0, 60)
    .map(line => `> ${plain(line)}`)
    .join('  \n')
}

function table(rows, head = ['', '']) {
  if (rows.length === 0) return ''
  const line = cells => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}
