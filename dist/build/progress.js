import { stripVTControlCharacters } from 'node:util'
import { activity, result } from './events.js'

const tailLength = 30
const lineLength = 1000
/** How many successful builds keep the end of their log, lest one is said to have failed after all. */
const mostTails = 50
const mostErrors = 500

export function startProgress() {
  return {
    planned: { builds: 0, fetches: 0 },
    builds: [],
    substitutions: new Map(),
    building: new Map(),
    failed: new Set(),
    tails: new Map(),
    errors: [],
    lines: [],
    internal: {
      fetches: new Map(),
      ended: [],
      confirmed: new Map(),
      counters: new Map(),
      failing: 0,
    },
  }
}

/**
 * Brings `progress` up to date with an event. Depends on its arguments only; any order of events is taken.
 * @param at seconds on a clock that never goes back
 */
export function observe(progress, event, at) {
  if (event.kind === 'start') started(progress, event, at)
  else if (event.kind === 'stop') stopped(progress, event.id, at)
  else if (event.kind === 'result') reported(progress, event)
  else if (event.kind === 'message') said(progress, event)
  else keepLast(progress.lines, event.text.slice(0, lineLength))
}

function started(progress, event, at) {
  const { internal } = progress
  const [first, second] = event.fields.map(String)
  switch (event.type) {
    case activity.builds:
    case activity.copyPaths:
      internal.counters.set(event.id, { type: event.type, counted: 0 })
      break
    case activity.build:
      if (first === undefined) break
      internal.failing = 0
      progress.building.set(event.id, { drvPath: first, since: at, machine: second || undefined, phase: '' })
      progress.tails.set(first, [])
      break
    case activity.substitute: {
      if (first === undefined || second === undefined) break
      const fetch = { path: first, store: second, since: at, seconds: 0, bytes: 0, file: '', doubtful: false }
      internal.fetches.set(event.id, { type: event.type, fetch })
      break
    }
    case activity.copyPath:
    case activity.fileTransfer: {
      const fetch = internal.fetches.get(event.parent)?.fetch
      if (fetch === undefined) break
      internal.fetches.set(event.id, { type: event.type, fetch })
      if (event.type === activity.fileTransfer) fetch.file = first?.split('/').at(-1) ?? ''
      break
    }
  }
}

function stopped(progress, id, at) {
  const { internal } = progress
  internal.counters.delete(id)
  const build = progress.building.get(id)
  if (build !== undefined) {
    const { drvPath, since, machine } = build
    progress.building.delete(id)
    // Nix counts a failed build right before it ends the activity, and names it in a message before or after that.
    if (internal.failing > 0 || progress.failed.has(drvPath)) {
      internal.failing = Math.max(0, internal.failing - 1)
      progress.failed.add(drvPath)
    } else {
      // Another machine's Nix tells of what it builds as well, within the build that is ours.
      const told = progress.builds.findIndex(other => other.drvPath === drvPath)
      const [inner] = told === -1 ? [] : progress.builds.splice(told, 1)
      const by = machine ?? inner?.machine
      progress.builds.push({
        drvPath,
        name: shortName(drvPath),
        seconds: at - since,
        ...(by && { machine: by }),
      })
      const old = progress.builds.at(-mostTails)
      if (old !== undefined) progress.tails.delete(old.drvPath)
    }
  }
  const ended = internal.fetches.get(id)
  internal.fetches.delete(id)
  if (ended?.type === activity.substitute) {
    ended.fetch.seconds = at - ended.fetch.since
    // A second attempt, from another store, takes the place of the first.
    const before = internal.ended.findIndex(other => other.path === ended.fetch.path)
    if (before !== -1) internal.ended.splice(before, 1)
    internal.ended.push(ended.fetch)
  }
}

function reported(progress, event) {
  const { internal } = progress
  const [first] = event.fields
  const build = progress.building.get(event.id)
  if (build !== undefined && event.type === result.buildLogLine) {
    const line = stripVTControlCharacters(String(first ?? '')).slice(0, lineLength)
    keepLast(progress.tails.get(build.drvPath) ?? [], line)
  } else if (build !== undefined && event.type === result.phase) {
    build.phase = String(first ?? '')
  } else if (event.type === result.progress) {
    const [done = 0, , , failed = 0] = event.fields.map(Number)
    const fetch = internal.fetches.get(event.id)
    const counter = internal.counters.get(event.id)
    if (fetch?.type === activity.fileTransfer) fetch.fetch.bytes = Math.max(done, fetch.fetch.bytes)
    if (counter?.type === activity.copyPaths) {
      for (let more = done - counter.counted; more > 0 && internal.ended.length > 0; more--) confirm(progress)
      counter.counted = done
    } else if (counter?.type === activity.builds && failed > counter.counted) {
      internal.failing += failed - counter.counted
      counter.counted = failed
    }
  }
}

/**
 * Nix counted one more path as substituted. It does not say which: one of those that ended, and of which it said no
 * ill. Should it do so later, `doubt` takes this back.
 */
function confirm(progress) {
  const { ended, confirmed } = progress.internal
  const innocent = ended.findIndex(fetch => !fetch.doubtful)
  const [fetch] = ended.splice(Math.max(0, innocent), 1)
  if (fetch === undefined) return
  const { path, store, bytes, seconds } = fetch
  confirmed.set(path, fetch)
  progress.substitutions.set(path, { path, store, bytes, seconds })
}

/** A warning or an error may speak of a path or of the file that holds it in a binary cache. */
function doubt(progress, text) {
  const { fetches, ended, confirmed } = progress.internal
  const all = [...ended, ...confirmed.values(), ...fetches.values().map(({ fetch }) => fetch)]
  for (const fetch of all) {
    if (!text.includes(fetch.path) && (fetch.file === '' || !text.includes(fetch.file))) continue
    fetch.doubtful = true
    if (!confirmed.delete(fetch.path)) continue
    progress.substitutions.delete(fetch.path)
    ended.push(fetch)
    confirm(progress)
  }
}

function said(progress, event) {
  const { internal, planned } = progress
  internal.failing = 0
  if (event.level === 0) {
    keepLast(progress.errors, event, mostErrors)
    for (const [, drvPath = ''] of event.what.matchAll(/'(\/nix\/store\/[^']+\.drv)'/g))
      failed(progress, drvPath)
  }
  if (event.level <= 1) doubt(progress, event.text)
  const builds = /^(?:this|these (\d+)) derivations? will be built:/.exec(event.text)
  const fetches = /^(?:this|these (\d+)) paths? will be fetched \(.*\):/.exec(event.text)
  if (builds) planned.builds += Number(builds[1] ?? 1)
  if (fetches) planned.fetches += Number(fetches[1] ?? 1)
}

/** Takes note of a derivation that an error names, if it was or is being built. */
function failed(progress, drvPath) {
  const at = progress.builds.findLastIndex(build => build.drvPath === drvPath)
  if (at !== -1) progress.builds.splice(at, 1)
  if (at !== -1 || progress.building.values().some(build => build.drvPath === drvPath))
    progress.failed.add(drvPath)
}

function keepLast(list, item, most = tailLength) {
  list.push(item)
  if (list.length > most) list.shift()
}

/** `hello-2.12` of `/nix/store/<hash>-hello-2.12.drv`. */
export function shortName(storePath) {
  return storePath.replace(/^.*\/[0-9a-z]{32}-/, '').replace(/\.drv$/, '')
}
