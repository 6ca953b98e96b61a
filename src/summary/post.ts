import type { Amount, Held } from '../cache/amounts.ts'
import type { SaveReport } from '../cache/save-model.ts'
import { cut, join, plain, table, words } from '../util/markdown.ts'
import type { Phase } from '../util/phases.ts'
import { count, formatBytes, formatSeconds } from '../util/text.ts'
import { shares } from './chart.ts'
import { drawn } from './facts.ts'

/** Reasons, and characters of each: GitHub refuses a step's summary above 1 MiB. */
const most = { listed: 10, text: 4000 } as const

/** What people look at after post: what the cache gained and lost, against its bound, and why. Markdown. */
export function postSummary(
  saved: SaveReport,
  { phases, seconds }: { readonly phases: readonly Phase[]; readonly seconds: number },
): string {
  const { after, added, dropped, limit, uploaded, deleted } = saved
  const repacked = saved.repacked?.bytes ?? 0
  const idle = added.paths + dropped.paths + uploaded + repacked + (deleted?.entries ?? 0) === 0
  const outcome = saved.outcome === 'saved' && idle ? 'nothing to add' : outcomes[saved.outcome]
  const parts = phases.map(({ name, seconds }) => `${plain(name)} ${formatSeconds(seconds)}`).join(', ')
  const time = `${formatSeconds(seconds)}${parts === '' ? '' : ` (${parts})`}`
  // Of a cache that could not be read nothing is known, and of one that stayed empty there is nothing to say.
  const known = after.paths > 0 || (!idle && ['saved', 'unchanged'].includes(saved.outcome))
  const holds = `${drawn(shares([after.bytes], limit))}${amount(after)} of ${formatBytes(limit)}${byOrigin(saved.held)}`
  const columns = [
    ...(added.paths === 0 ? [] : [['Added', `+${amount(added)}`]]),
    ...(dropped.paths === 0 ? [] : [['Dropped', `−${amount(dropped)}`]]),
    ['Uploaded', formatBytes(uploaded)],
    ...(repacked === 0 ? [] : [['Packed anew', formatBytes(repacked)]]),
    ...(deleted === undefined || deleted.entries === 0
      ? []
      : [
          ['Deleted', `${count(deleted.entries, 'old entry', 'old entries')}, ${formatBytes(deleted.bytes)}`],
        ]),
    ['Time', time],
  ]
  const [head = [], row = []] = [0, 1].map(at => columns.map(column => column[at] ?? ''))
  return join([
    `#### Store cache: ${outcome}`,
    saved.why === undefined ? '' : words(cut(saved.why, most.text)),
    [...(known ? [holds] : []), ...(idle ? [`Time: ${time}`] : [])].join('. '),
    idle ? '' : table(head, [row]),
    saved.reasons
      .slice(0, most.listed)
      .map(reason => `- ${words(cut(reason, most.text))}`)
      .join('\n'),
  ])
}

const amount = ({ paths, bytes }: Amount) => `${count(paths, 'path')}, ${formatBytes(bytes)}`

/** `: 20 from elsewhere` */
function byOrigin(held: Held | undefined): string {
  const parts = origins.flatMap(([origin, name]) => {
    const paths = held?.[origin].paths ?? 0
    return paths === 0 ? [] : [`${paths} ${name}`]
  })
  return parts.length === 0 ? '' : `: ${parts.join(', ')}`
}

const origins: readonly (readonly [keyof Held, string])[] = [
  ['built', 'built by jobs of this repository'],
  ['source', 'sources of builds'],
  ['upstream', 'from elsewhere'],
]

const outcomes: Readonly<Record<SaveReport['outcome'], string>> = {
  saved: 'saved',
  unchanged: 'nothing new, nothing uploaded',
  denied: 'read only',
  failed: 'not saved',
}
