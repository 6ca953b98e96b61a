import type { Report } from '../report.ts'
import { code, cut, plain, table, words } from '../util/markdown.ts'
import { count } from '../util/text.ts'

const most = { findings: 30, text: 1000 } as const

/** One line: how much the inspection found. Markdown. */
export function inspected({ findings, ignored, uninspected }: NonNullable<Report['check']>): string {
  const found = (['error', 'warning', 'hint'] as const).flatMap(severity => {
    const number = findings.filter(finding => finding.severity === severity).length
    return number === 0 ? [] : [count(number, severity)]
  })
  const turnedOff = ignored.length === 0 ? '' : `; turned off: ${ignored.map(code).join(', ')}`
  const not = uninspected.length === 0 ? [] : [`**not inspected**: ${uninspected.map(code).join(', ')}`]
  return ([...found, ...not].join(', ') || 'no findings') + turnedOff
}

const marks = { error: '❌', warning: '⚠️', hint: '💡' } as const

/** Hints alone are no reason to take up a screen. */
export function areHints({ check }: Report): boolean {
  return check?.findings.every(({ severity }) => severity === 'hint') ?? true
}

/** A table of what the inspection found; empty where it found nothing. Markdown. */
export function findings({ check }: Report): string {
  const all = check?.findings ?? []
  const several = new Set(all.map(({ platform }) => platform)).size > 1
  const rows = all.slice(0, most.findings).map(({ rule, severity, place, why, fix, platform }) => {
    const where = `${code(place)}${several ? ` (${plain(platform)})` : ''}`
    return [`${marks[severity]} ${code(rule)}`, where, words(cut(why, most.text)), words(cut(fix, most.text))]
  })
  const rest = all.length - rows.length
  if (rest > 0) rows.push(['…', '', `${count(rest, 'more finding')}: see the log`, ''])
  return table(['Inspection', 'Where', 'What happens', 'What to write'], rows)
}
