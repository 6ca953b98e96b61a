import { code, cut, plain, table } from '../util/markdown.js'
import { count } from '../util/text.js'

import { kinds } from './words.js'

const most = { rows: 15, names: 5, bytes: 48 }

/** One line: whether what was built twice is the same, and what was not. Markdown. */
export function reproducible({ derivations, fixed, signed }) {
  const those = (...verdicts) => derivations.filter(({ verdict }) => verdicts.includes(verdict))
  const [bad, skipped] = [those('different', 'failed'), those('skipped')]
  const built = derivations.length - skipped.length
  const twice = `${count(built, 'derivation')} built twice`
  const image = those('same').includes(derivations[0]) ? derivations[0]?.outputs[0] : undefined
  const others = [
    ...(signed > 0 ? [`${count(signed, 'path')} signed by binary caches`] : []),
    ...(fixed > 0 ? [`${count(fixed, 'path')} with a fixed hash`] : []),
  ]
  return [
    ...(bad.length > 0 ? [`**no**: ${twice}, ${bad.length} not the same`] : []),
    ...(bad.length === 0 && built > 0 ? [`${twice}, all the same`] : []),
    ...(skipped.length > 0 ? [`**not built again here**: ${names(skipped)}`] : []),
    ...(image === undefined ? [] : [`NAR of the image ${code(image.narHash)}`]),
    ...(others.length > 0 ? [`not built again: ${others.join(', ')}`] : []),
  ].join('; ')
}

function names(some) {
  const shown = some.slice(0, most.names).map(({ name }) => code(name))
  const rest = some.length - shown.length
  return shown.join(', ') + (rest > 0 ? ` and ${rest} more` : '')
}

/** What differs, a row for each file; empty when nothing does. Markdown. */
export function differenceTable(reproduction) {
  const all = (reproduction?.derivations ?? []).flatMap(({ name, differences }) =>
    differences.map((difference, at) => ({ name, at, difference })),
  )
  // The first of each derivation before the second of any.
  const rows = all
    .toSorted((a, b) => a.at - b.at)
    .slice(0, most.rows)
    .map(({ name, difference }) => [code(name), ...cells(difference)])
  if (all.length > rows.length) rows.push([`and ${all.length - rows.length} more`, '', '', '', ''])
  return table(['Not reproducible', 'File', 'What', 'First build', 'Second build'], rows)
}

function cells({ where, kind, bytes }) {
  const what = plain(kinds[kind])
  if (bytes === undefined) return [code(where), what, '', '']
  const { offset, first, second } = bytes
  return [code(where), `${what}, at byte ${offset}`, glimpse(first), glimpse(second)]
}

/** Bytes as text where most of them are, else as hex digits. */
function glimpse(hex) {
  if (hex === '') return 'the end'
  const text = Buffer.from(hex, 'hex').toString('latin1')
  const readable = text.replace(/[^ -~]/g, '.')
  const letters = text.replace(/[^ -~\n]/g, '').length
  return code(letters * 4 > text.length * 3 ? readable : cut(hex, most.bytes))
}
