import { createHash } from 'node:crypto'
import { packKey } from '../../src/cache/keys.ts'
import { type CachedPath, type CacheIndex, emptyIndex, hashOf, sizeOf } from '../../src/cache/model.ts'
import { fillPacks } from '../../src/cache/pack.ts'
import type { Candidate } from '../../src/cache/policy/model.ts'
import { callsFor } from '../../src/cache/policy/rewrites.ts'
import { plan } from '../../src/cache/policy.ts'
import { callsLeft } from '../../src/cache/repack.ts'
import { sizeInCache } from '../../src/cache/size.ts'
import type { Worth } from '../../src/cache/value.ts'
import type { Output } from './history.ts'
import type { Keeper } from './simulate.ts'

/** Everything that was ever made. */
export function unbounded(): Keeper {
  const all = new Set<Output>()
  let uploaded = 0
  return {
    has: output => all.has(output),
    save({ built }) {
      for (const output of built.difference(all)) uploaded += output.size
      for (const output of built) all.add(output)
    },
    size: () => sum(all),
    get uploaded() {
      return uploaded
    },
    rewriteCalls: 0,
  }
}

export function nothingKept(): Keeper {
  return { has: () => false, save() {}, size: () => 0, uploaded: 0, rewriteCalls: 0 }
}

/** A path is worth more the later it was used, whatever it costs. */
const leastRecentlyUsed: Worth = paths => paths.map(path => sizeInCache(path) * path.lastUse)

/** The index, the packs and the policy that the action saves with; only the bytes are not there. */
export function planned(options: {
  readonly limit: number
  readonly lru?: boolean
  readonly rewrite?: boolean
}): Keeper {
  const { limit, lru = false, rewrite = true } = options
  let index: CacheIndex = emptyIndex
  let [uploaded, most, saves] = [0, 0, 0]
  const member = (output: Output, now: number): Candidate => {
    const path = asPath(output, now)
    return { path, size: sizeInCache(path) }
  }
  return {
    has: ({ name }) => index.paths.has(hashOf(name)),
    save({ at, substituted, built }) {
      const had = [...substituted, ...built]
        .map(({ name }) => hashOf(name))
        .filter(hash => index.paths.has(hash))
      const fresh = [...built].filter(({ name }) => !index.paths.has(hashOf(name)))
      const candidates = referencesFirst(fresh).map(output => member(output, at))
      // Packs of which something was had were unpacked by the substituter.
      const onDisk = new Set(
        [...substituted].flatMap(({ name }) => index.paths.get(hashOf(name))?.pack ?? []),
      )
      const served = {
        packs: { needed: [], fetched: [...onDisk], gone: [], unreachable: [], bytes: 0, seconds: 0 },
      }
      const calls = rewrite ? callsLeft({ index, limit }, candidates, 2, served) : 0
      const made = plan({
        ...{ index, candidates, used: new Set(had), now: at, limit, onDisk, calls },
        ...(lru ? { worth: leastRecentlyUsed } : {}),
      })
      const moved = [...made.rewrite.values()].flat()
      const sending = [...made.add, ...moved.toSorted((a, b) => b.path.lastUse - a.path.lastUse)]
      const [packs, paths] = [new Map(made.index.packs), new Map(made.index.paths)]
      for (const members of fillPacks(sending)) {
        const hash = createHash('sha256').update(`${saves++}`).digest('hex')
        const size = members.reduce((total, one) => total + one.size, 0)
        packs.set(hash, { key: packKey({ system: 'x86_64-linux', scope: '' }, hash), size, created: at })
        for (const { path } of members) paths.set(hashOf(path.name), { ...path, pack: hash })
        uploaded += size
      }
      const fetched = [...made.rewrite.keys()].filter(hash => !onDisk.has(hash)).length
      most = Math.max(most, callsFor(fetched, sum(moved), sum(made.add)))
      index = { ...made.index, packs, paths }
      if (sizeOf(index) > limit) throw new Error('the policy went beyond its limit')
    },
    size: () => sizeOf(index),
    get uploaded() {
      return uploaded
    },
    get rewriteCalls() {
      return most
    },
  }
}

/**
 * What those do who keep the whole store: at the end of a job, when it is larger than the bound, `nix store gc --max`
 * frees the rest. Nix goes through the store in the order in which the directory lists it, which is that of no
 * meaning, and deletes each path with all that refers to it, unless one of them is needed by a root, until enough is
 * freed (`src/libstore/gc.cc`). The results of the last build are roots, as the link that `nix build` leaves makes
 * them. Everything that is left is saved, as often as there is something new.
 */
export function garbageCollected({ limit, seed }: { readonly limit: number; readonly seed: number }): Keeper {
  const store = new Set<Output>()
  let uploaded = 0
  const listed = ({ name }: Output) => createHash('sha256').update(`${seed} ${name}`).digest('hex')
  return {
    has: output => store.has(output),
    save({ wanted, built }) {
      const isNew = built.difference(store).size > 0
      for (const output of built) store.add(output)
      const alive = closureOf(wanted)
      const referrers = new Map<Output, Output[]>()
      for (const output of store) {
        for (const reference of output.references) {
          referrers.set(reference, [...(referrers.get(reference) ?? []), output])
        }
      }
      let excess = sum(store) - limit
      const inOrder = [...store]
        .map(output => ({ output, at: listed(output) }))
        .sort((a, b) => (a.at < b.at ? -1 : 1))
      for (const { output } of inOrder) {
        if (excess <= 0) break
        const closure = reachable([output], one => referrers.get(one) ?? [])
        if ([...closure].some(one => alive.has(one))) continue
        for (const one of closure) if (store.delete(one)) excess -= one.size
      }
      if (isNew) uploaded += sum(store)
    },
    size: () => sum(store),
    get uploaded() {
      return uploaded
    },
    rewriteCalls: 0,
  }
}

function asPath({ name, size, references, derivation }: Output, now: number): CachedPath {
  const { seconds, isSource, isUpstream } = derivation
  const built = {
    deriver: `${derivation.outputs[0]?.name}.drv`,
    cost: Math.round(seconds * 10) / 10,
  }
  return {
    ...{ name, narHash: '0'.repeat(52), fileHash: '0'.repeat(52), pack: '', lastUse: now },
    ...{
      narSize: Math.ceil(size * 4),
      fileSize: Math.ceil(size),
      references: references.map(other => other.name),
    },
    // As the index has them: what came from elsewhere has no build that was measured.
    ...(isUpstream === true ? {} : built),
    origin: isUpstream === true ? 'upstream' : isSource ? 'source' : 'built',
  }
}

function closureOf(roots: Iterable<Output>): Set<Output> {
  return reachable(roots, ({ references }) => references)
}

function reachable(roots: Iterable<Output>, next: (output: Output) => readonly Output[]): Set<Output> {
  const reached = new Set<Output>()
  const queue = [...roots]
  for (let output = queue.pop(); output !== undefined; output = queue.pop()) {
    if (reached.has(output)) continue
    reached.add(output)
    queue.push(...next(output))
  }
  return reached
}

function referencesFirst(outputs: readonly Output[]): Output[] {
  const wanted = new Set(outputs)
  const sorted = new Set<Output>()
  const visit = (output: Output): void => {
    if (!wanted.has(output) || sorted.has(output)) return
    for (const reference of output.references) visit(reference)
    sorted.add(output)
  }
  for (const output of outputs) visit(output)
  return [...sorted]
}

function sum(some: Iterable<{ readonly size: number }>): number {
  let bytes = 0
  for (const { size } of some) bytes += size
  return bytes
}
