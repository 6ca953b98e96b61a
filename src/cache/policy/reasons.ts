import { count, formatBytes, formatSeconds } from '../../util/text.ts'
import { secondsToGetBack } from '../value.ts'
import { bytesOf, type Item, type Items } from './items.ts'
import type { Plan, PlanInput } from './model.ts'

/** Sentences about a plan, for people: nothing when nothing had to go, nothing moves and nothing was left out. */
export function reasonsOf(
  { items, packs }: Items,
  kept: ReadonlySet<Item>,
  made: Omit<Plan, 'reasons'>,
  { limit, now, unfit = [] }: PlanInput,
): string[] {
  const reasons: string[] = []
  const bound = `cache-size (${formatBytes(limit)})`
  const dropped = items.filter(item => item.candidate === undefined && !kept.has(item))
  const leftOut = [...made.leftOut, ...unfit]
  const lost = dropped.filter(({ rank }) => rank === 2)
  if (leftOut.length > 0 || lost.length > 0) {
    const enough = bytesOf(items.filter(({ rank }) => rank === 2)) + bytesOf(unfit)
    reasons.push(
      enough > limit
        ? `${bound} is too small for what this run used: ${unfit.length > 0 ? 'about ' : ''}${formatBytes(enough)} would be enough.`
        : `${bound} has no room for all that this run used until more of the old packs are rewritten.`,
    )
  }
  if (leftOut.length > 0) {
    const size = `${unfit.length > 0 ? 'about ' : ''}${formatBytes(bytesOf(leftOut))}`
    reasons.push(`${count(leftOut.length, 'new path')} (${size}) did not fit and ${was(leftOut)} not saved.`)
  }
  if (dropped.length > 0) {
    const why = [
      'cheapest to get back for their size',
      ...ages(dropped.map(({ path }) => now - path.lastUse)),
    ].join(', ')
    reasons.push(
      `${count(dropped.length, 'path')} (${formatBytes(bytesOf(dropped))}) ${was(dropped)} dropped to stay within ${bound}: ${why}.`,
    )
    const stay = [...kept]
    const seconds = stay.reduce((sum, { path }) => sum + secondsToGetBack(path), 0)
    if (stay.length > 0)
      reasons.push(
        `${count(stay.length, 'path')} (${formatBytes(bytesOf(stay))}) ${was(stay)} kept, which would take ${formatSeconds(seconds)} to get back.`,
      )
  }
  if (made.rewrite.size > 0) {
    const before = bytesOf(packs.filter(({ hash }) => made.rewrite.has(hash)))
    const after = bytesOf([...made.rewrite.values()].flat())
    const of = `${count(made.rewrite.size, 'pack')} (${formatBytes(before)})`
    reasons.push(
      after < before * 0.9
        ? `${of} ${was([...made.rewrite])} rewritten to free ${formatBytes(before - after)}.`
        : `${of} ${was([...made.rewrite])} rewritten to have fewer small ones.`,
    )
  }
  return reasons
}

const was = ({ length }: readonly unknown[]) => (length === 1 ? 'was' : 'were')

/** `unused for 9 days`, `unused for 2 hours to 9 days`; nothing when that is too short to explain anything. */
function ages(seconds: readonly number[]): string[] {
  const [shortest, longest] = [Math.min, Math.max].map(pick =>
    inWords(seconds.reduce((a, b) => pick(a, b), seconds[0] ?? 0)),
  )
  if (longest === undefined) return []
  if (shortest === undefined) return [`unused for up to ${longest}`]
  return [`unused for ${shortest === longest ? longest : `${shortest} to ${longest}`}`]
}

function inWords(seconds: number): string | undefined {
  if (seconds < 60 * 60) return undefined
  const hours = Math.floor(seconds / 3600)
  return hours < 48 ? count(hours, 'hour') : count(Math.floor(hours / 24), 'day')
}
