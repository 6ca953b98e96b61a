import { cut } from '../util/markdown.js'

import { formatSeconds } from '../util/text.js'

/**
 * Drawings made of text, which look the same wherever text does. Only characters that every font for code has: full, left
 * and right half blocks, and three shades.
 */

/** Columns that the bars of a timeline take up at most, and characters of a name. */
const most = { columns: 64, name: 24 }

/**
 * Phases below each other, each as long as it took and where it was in the run: what ran at the same time is seen to.
 * Those that took no time are left out. Lines for a block of code; empty when there is nothing to draw.
 * @param seconds of the whole run
 * @param failed the name of the phase that did not get done
 */
export function timeline(phases, seconds, failed) {
  const isFailed = phase => phase.failed === true && phase.name === failed
  const rows = phases
    .filter(phase => phase.seconds >= 0.05 || isFailed(phase))
    .toSorted((a, b) => a.start - b.start)
    .map(phase => ({
      name: cut(phase.name.replace(/\s+/g, ' ').trim(), most.name),
      time: formatSeconds(phase.seconds),
      bar: barOf(phase, Math.max(seconds, phase.start + phase.seconds)),
      mark: isFailed(phase) ? ' failed' : '',
    }))
  const width = lengths => Math.max(0, ...lengths)
  const names = width(rows.map(({ name }) => name.length))
  const times = width(rows.map(({ time }) => time.length))
  return rows
    .map(({ name, time, bar, mark }) => `${name.padEnd(names)}  ${time.padStart(times)}  ${bar}${mark}`)
    .join('\n')
}

/** In halves of a column, and never less than one. */
function barOf({ start, seconds }, whole) {
  const halves = most.columns * 2
  const at = moment => Math.round((moment / whole) * halves)
  const from = Math.min(at(start), halves - 1)
  const to = Math.max(at(start + seconds), from + 1)
  const [left, right] = [Math.ceil(from / 2), Math.floor(to / 2)]
  return (
    ' '.repeat(Math.floor(from / 2)) +
    (from % 2 === 1 ? '▐' : '') +
    '█'.repeat(Math.max(0, right - left)) +
    (to % 2 === 1 && to > left * 2 ? '▌' : '')
  )
}

const shades = ['█', '▒', '░']

/**
 * Parts of a whole as a bar of 20 columns in as many shades, of which the lightest is also what is left. What there is of a
 * part is seen, however little it is; what is more than the whole is not. Empty where there is no whole.
 * @param parts at most two, darkest first
 */
export function shares(parts, whole) {
  if (!(whole > 0)) return ''
  const columns = 20
  let bar = ''
  for (const [index, part] of parts.entries()) {
    const wanted = part === 0 ? 0 : Math.max(1, Math.round((part / whole) * columns))
    bar += (shades[index] ?? '').repeat(Math.min(wanted, columns - bar.length))
  }
  return bar.padEnd(columns, shades[2])
}
