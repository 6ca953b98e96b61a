import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { type CacheName, packKey } from '../../../src/cache/keys.ts'

import {
  type CachedPath,
  type CacheIndex,
  emptyIndex,
  hashOf,
  type LayerUse,
  type Origin,
} from '../../../src/cache/model.ts'
import type { Candidate, PlanInput } from '../../../src/cache/policy/model.ts'
import { sizeInCache } from '../../../src/cache/size.ts'
import { nixBase32 } from '../../../src/util/base32.ts'

import { sha256 } from '../../../src/util/digest.ts'

/** Seconds since the epoch at which all samples are looked at. */
export const now = 1_000_000

/** Of the cache that all samples are of. */
export const cacheName: CacheName = { system: 'x86_64-linux', scope: '' }

/** 52 characters of Nix's base 32, different for each text. */
export function base32(text: string): string {
  return nixBase32(createHash('sha256').update(text).digest())
}

export function packHash(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

export function pathName(text: string): string {
  return `${base32(text).slice(0, 32)}-${text}`
}

export function samplePath(name: string, more: Partial<CachedPath> = {}): CachedPath {
  return {
    name: pathName(name),
    narHash: base32(`nar ${name}`),
    narSize: 2000,
    references: [],
    fileHash: base32(`file ${name}`),
    fileSize: 1000,
    pack: packHash('pack'),
    lastUse: now - 100,
    origin: 'built',
    ...more,
  }
}

/** An index that holds these paths; packs are as large as what is in them, and 100 bytes of what is not named. */
export function sampleIndex(paths: readonly CachedPath[], more: Partial<CacheIndex> = {}): CacheIndex {
  const packs = new Map(
    Map.groupBy(paths, path => path.pack)
      .entries()
      .map(([hash, members]) => {
        const size = members.reduce((sum, member) => sum + sizeInCache(member), 100)
        return [hash, { key: packKey(cacheName, hash), size, created: 500 }] as const
      }),
  )
  const byHash = new Map(paths.map(path => [hashOf(path.name), path]))
  return { ...emptyIndex, packs, paths: byHash, ...more }
}

const outside = ['glibc', 'bash', 'gcc'].map(pathName)

type Node = {
  readonly pack: number
  readonly size: number
  readonly lastUse: number
  readonly cost: number
  readonly origin: Origin
  /** Each names an earlier path, or one that is elsewhere. */
  readonly references: readonly number[]
}

const node = fc.record<Node>({
  pack: fc.nat(5),
  size: fc.integer({ min: 1, max: 1000 }),
  lastUse: fc.oneof(fc.integer({ min: now - 50, max: now + 5 }), fc.integer({ min: 1, max: now })),
  cost: fc.nat(100),
  origin: fc.constantFrom<Origin>('built', 'built', 'source', 'upstream'),
  references: fc.array(fc.nat(40), { maxLength: 4 }),
})

function referencesOf(names: readonly string[], { references }: Node): string[] {
  const all = [...names, ...outside]
  return [...new Set(references.map(at => all[at % all.length] ?? ''))].sort()
}

function pathsOf(nodes: readonly Node[], prefix: string, before: readonly string[]): CachedPath[] {
  const names = [...before]
  return nodes.map((at, number) => {
    const name = `${prefix}${number}`
    const references = referencesOf(names, at)
    names.push(pathName(name))
    const { size: fileSize, lastUse, cost, origin } = at
    const pack = packHash(`pack ${at.pack}`)
    // Two outputs each come from one build.
    const deriver = pathName(`${prefix}${number >> 1}.drv`)
    return samplePath(name, { references, fileSize, lastUse, cost, origin, pack, deriver })
  })
}

export function layerUse(text: string, size: number, lastUse: number): LayerUse {
  const [diffId, digest] = [sha256(`tar of ${text}`), sha256(text)]
  return { diffId, digest, size, repository: 'example.org/app', lastUse }
}

const layer = fc
  .tuple(fc.string(), fc.nat(), fc.integer({ min: now - 50, max: now }))
  .map(args => layerUse(...args))

/** Closed indexes. `prefix` distinguishes the paths of one from those of another. */
export function indexes(prefix = 'p'): fc.Arbitrary<CacheIndex> {
  return fc
    .record({
      nodes: fc.array(node, { maxLength: 20 }),
      layers: fc.dictionary(fc.string({ minLength: 1, maxLength: 8 }), layer, { maxKeys: 3 }),
      tooLarge: fc.dictionary(
        fc.constantFrom('big', 'bigger'),
        fc.record({ size: fc.nat(), lastUse: fc.nat(now) }),
      ),
    })
    .map(({ nodes, layers, tooLarge }) =>
      sampleIndex(pathsOf(nodes, prefix, []), {
        elsewhere: new Set(outside),
        layers: new Map(Object.entries(layers)),
        tooLarge: new Map(Object.entries(tooLarge).map(([name, unfit]) => [hashOf(pathName(name)), unfit])),
      }),
    )
}

const packNumbers = [0, 1, 2, 3, 4, 5]

/**
 * What the policy may be asked: an index with dead bytes in its packs, candidates that refer to it, what was used of it,
 * a limit, and which packs may be rewritten.
 */
export const questions: fc.Arbitrary<PlanInput> = fc
  .record({
    index: indexes(),
    added: fc.array(node, { maxLength: 10 }),
    used: fc.array(fc.nat(20), { maxLength: 6 }),
    unknown: fc.array(fc.nat(20), { maxLength: 3 }),
    limit: fc.nat(50_000),
    dead: fc.array(fc.oneof(fc.nat(300), fc.nat(20_000)), { minLength: 6, maxLength: 6 }),
    rewritable: fc.option(fc.subarray(packNumbers), { nil: undefined }),
    onDisk: fc.subarray(packNumbers),
    calls: fc.nat(16),
  })
  .map(({ index: sound, added, used, unknown, limit, dead, rewritable, onDisk, calls }) => {
    const hashesOf = (numbers: readonly number[]) => new Set(numbers.map(at => packHash(`pack ${at}`)))
    const deadIn = new Map(dead.map((bytes, at) => [packHash(`pack ${at}`), bytes]))
    const packs = sound.packs.entries().map(([hash, pack]) => {
      return [hash, { ...pack, size: pack.size + (deadIn.get(hash) ?? 0) }] as const
    })
    const index = { ...sound, packs: new Map(packs) }
    const names = [...index.paths.values()].map(({ name }) => name)
    const hashes = [...index.paths.keys()]
    const some = (numbers: readonly number[]) =>
      new Set(numbers.flatMap(at => hashes[at % Math.max(1, hashes.length)] ?? []))
    const candidates: Candidate[] = pathsOf(added, 'c', names).map(path => ({
      path: { ...path, pack: '', lastUse: now },
      size: sizeInCache(path),
    }))
    return {
      ...{ index, candidates, used: some(used), unknown: some(unknown), now, limit, calls },
      ...{ onDisk: hashesOf(onDisk), ...(rewritable && { rewritable: hashesOf(rewritable) }) },
    }
  })
