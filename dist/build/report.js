import { plainStore } from '../nix/store.js'
import { harmless } from '../util/harmless.js'

import { count, formatBytes, formatSeconds } from '../util/text.js'
import { activity, parseEvent, result } from './events.js'
import { observe, shortName, startProgress } from './progress.js'

/** Seconds between two lines that say how far the work is. */
const progressEvery = 15

/**
 * Reads what Nix says and tells it to the log as a person would want to read it: build logs with the derivation's
 * name before each line, what was built and how long it took, how far the work is from time to time, warnings and
 * errors in Nix's own words.
 * @param now seconds on a clock that never goes back; asked once for each line
 */
export function createReporter(log, now) {
  const progress = startProgress()
  const started = now()
  let saidAt = started
  const said = new Set()

  const say = text => log.info(harmless(text))

  /** Warnings and errors come again in each of several runs of Nix. */
  function once(text) {
    if (said.has(text)) return
    said.add(text)
    say(text)
  }

  function tell(event, ended) {
    if (event.kind === 'line') once(event.text)
    else if (event.kind === 'message') {
      // The plan is given as a heading and one path a line.
      if (event.level > 3 || /^ {2}\/nix\/store\//.test(event.text)) log.debug(harmless(event.text))
      else once(event.text.replace(/:$/, ''))
    } else if (event.kind === 'start' && event.type === activity.build) {
      say(`building ${shortName(String(event.fields[0]))}`)
    } else if (event.kind === 'result' && event.type === result.buildLogLine) {
      const build = progress.building.get(event.id)
      say(build === undefined ? String(event.fields[0]) : `${shortName(build.drvPath)}> ${event.fields[0]}`)
    } else if (event.kind === 'result' && event.type === result.postBuildLogLine) {
      say(`post-build-hook> ${event.fields[0]}`)
    } else if (ended !== undefined && progress.failed.has(ended)) {
      say(`${shortName(ended)} failed`)
    } else if (ended !== undefined) {
      const build = progress.builds.at(-1)
      if (build !== undefined) say(`built ${build.name} in ${formatSeconds(build.seconds)}${ofPlan()}`)
    }
  }

  const ofPlan = () =>
    progress.planned.builds > 1 ? ` (${progress.builds.length} of ${progress.planned.builds})` : ''

  return {
    progress,
    line(line) {
      const event = parseEvent(line)
      if (event === undefined) return
      const at = now()
      const ended = event.kind === 'stop' ? progress.building.get(event.id)?.drvPath : undefined
      observe(progress, event, at)
      tell(event, ended)
      if (at - saidAt >= progressEvery) {
        saidAt = at
        const far = progressLine(progress, at)
        if (far !== '') say(`${formatSeconds(at - started)}: ${far}`)
      }
    },
  }
}

/** How far the work is: `built 3 of 12, fetched 40 of 120 paths (34 MiB), now gcc (buildPhase, 20 s)`. Pure. */
export function progressLine(progress, at) {
  const { planned } = progress
  const bytes = progress.substitutions.values().reduce((sum, path) => sum + path.bytes, 0)
  const now = [...progress.building.values()].map(
    ({ drvPath, since, phase }) =>
      `${shortName(drvPath)} (${phase === '' ? '' : `${phase}, `}${formatSeconds(at - since)})`,
  )
  return [
    ...(planned.builds > 0 ? [`built ${progress.builds.length} of ${planned.builds}`] : []),
    ...(planned.fetches > 0
      ? [
          `fetched ${progress.substitutions.size} of ${count(planned.fetches, 'path')} (${formatBytes(bytes)})`,
        ]
      : []),
    ...(now.length > 0 ? [`now ${now.slice(0, 3).join(', ')}${now.length > 3 ? ' …' : ''}`] : []),
  ].join(', ')
}

/**
 * One line that sums up what was built and what was fetched from where. Pure.
 * @param cacheUrl URL under which Nix knows this action's own cache, to be called by that name
 */
export function summarise(done, cacheUrl) {
  const slowest = done.builds
    .toSorted((a, b) => b.seconds - a.seconds)
    .slice(0, 3)
    .map(({ name, seconds }) => `${name} ${formatSeconds(seconds)}`)
  const stores = Map.groupBy(done.substitutions, ({ store }) =>
    cacheUrl !== undefined && plainStore(store) === plainStore(cacheUrl) ? 'the cache' : plainStore(store),
  )
  const bytes = done.substitutions.reduce((sum, path) => sum + path.bytes, 0)
  const fetched = [...stores].map(
    ([store, paths]) => `${count(paths.length, 'path')} from ${harmless(store)}`,
  )
  const parts = [
    ...(slowest.length > 0 ? [`built ${done.builds.length} (slowest: ${slowest.join(', ')})`] : []),
    ...(fetched.length > 0 ? [`fetched ${fetched.join(' and ')} (${formatBytes(bytes)})`] : []),
  ]
  const text = parts.length > 0 ? parts.join(', ') : 'nothing to build or to fetch'
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}, in ${formatSeconds(done.seconds)}`
}
