import { stripVTControlCharacters } from 'node:util'
import { activity, type NixEvent, type NixMessage, result } from './events.ts'

/** A derivation that was built. */
export type Build = {
  readonly drvPath: string
  readonly name: string
  readonly seconds: number
  /** URL of the other machine that built it. */
  readonly machine?: string
}

/** A store path that came from a binary cache. */
export type Substitution = {
  readonly path: string
  /** URL of the store, as Nix names it. */
  readonly store: string
  /** Bytes as downloaded; 0 for a store that is not read over HTTP. */
  readonly bytes: number
  readonly seconds: number
}

/** What is known of one run of Nix from its events so far. Made by `startProgress`, changed by `observe` only. */
export type Progress = {
  /** What Nix announced: derivations to build, paths to fetch. */
  readonly planned: { builds: number; fetches: number }
  readonly builds: Build[]
  /** By store path. */
  readonly substitutions: Map<string, Substitution>
  /** Builds under way, by activity id, the oldest first. */
  readonly building: Map<string, Building>
  /** Derivations whose build ended in failure. */
  readonly failed: Set<string>
  /** The last lines of each build's log, by derivation. */
  readonly tails: Map<string, string[]>
  /** Errors in the order in which Nix said them. A run may say some and still succeed. */
  readonly errors: NixMessage[]
  /** What others than Nix wrote to its stderr, the last lines. */
  readonly lines: string[]

  readonly internal: Internal
}

type Building = {
  readonly drvPath: string
  readonly since: number
  readonly machine: string | undefined
  phase: string
}

/** Bookkeeping of `observe`. */
type Internal = {
  /** Substitutions under way or ended, by their own activity's id and by those of copies and downloads for them. */
  readonly fetches: Map<string, { readonly type: number; readonly fetch: Fetch }>
  /** Substitutions that ended, the oldest first, until Nix counts one more as done; then they are in the other. */
  readonly ended: Fetch[]
  readonly confirmed: Map<string, Fetch>
  /** The activities that count builds and substitutions: their type, and how much of their count was seen. */
  readonly counters: Map<string, { readonly type: number; counted: number }>
  /** How many builds Nix counted as failed just now. */
  failing: number
}

type Fetch = {
  readonly path: string
  readonly store: string
  readonly since: number
  seconds: number
  bytes: number
  /** The last part of the URL of what is downloaded. */
  file: string
  /** Whether a warning or an error spoke of it. */
  doubtful: boolean
}

const tailLength = 30
const lineLength = 1000
/** How many successful builds keep the end of their log, lest one is said to have failed after all. */
const mostTails = 50
const mostErrors = 500

export function startProgress(): Progress {
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
export function observe(progress: Progress, event: NixEvent, at: number): void {
  if (event.kind === 'start') started(progress, event, at)
  else if (event.kind === 'stop') stopped(progress, event.id, at)
  else if (event.kind === 'result') reported(progress, event)
  else if (event.kind === 'message') said(progress, event)
  else keepLast(progress.lines, event.text.slice(0, lineLength))
}

function started(progress: Progress, event: NixEvent & { kind: 'start' }, at: number): void {
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

function stopped(progress: Progress, id: string, at: number): void {
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

function reported(progress: Progress, event: NixEvent & { kind: 'result' }): void {
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
function confirm(progress: Progress): void {
  const { ended, confirmed } = progress.internal
  const innocent = ended.findIndex(fetch => !fetch.doubtful)
  const [fetch] = ended.splice(Math.max(0, innocent), 1)
  if (fetch === undefined) return
  const { path, store, bytes, seconds } = fetch
  confirmed.set(path, fetch)
  progress.substitutions.set(path, { path, store, bytes, seconds })
}

/** A warning or an error may speak of a path or of the file that holds it in a binary cache. */
function doubt(progress: Progress, text: string): void {
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

function said(progress: Progress, event: NixMessage): void {
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
function failed(progress: Progress, drvPath: string): void {
  const at = progress.builds.findLastIndex(build => build.drvPath === drvPath)
  if (at !== -1) progress.builds.splice(at, 1)
  if (at !== -1 || progress.building.values().some(build => build.drvPath === drvPath))
    progress.failed.add(drvPath)
}

function keepLast<T>(list: T[], item: T, most = tailLength): void {
  list.push(item)
  if (list.length > most) list.shift()
}

/** `hello-2.12` of `/nix/store/<hash>-hello-2.12.drv`. */
export function shortName(storePath: string): string {
  return storePath.replace(/^.*\/[0-9a-z]{32}-/, '').replace(/\.drv$/, '')
}
