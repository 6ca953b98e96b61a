import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { packKey } from '../../../src/cache/keys.ts'
import { type CachedPath, type CacheIndex, hashOf, type LayerUse } from '../../../src/cache/model.ts'
import { nixBase32 } from '../../../src/cache/narinfo.ts'
import type { Candidate, PlanInput } from '../../../src/cache/policy.ts'
import { sha256 } from '../../../src/util/digest.ts'

/** Seconds since the epoch at which all samples are looked at. */
export const now = 1_000_000

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
        const size = members.reduce((sum, { fileSize }) => sum + fileSize, 100)
        return [hash, { key: packKey(hash), size, created: 500 }] as const
      }),
  )
  const byHash = new Map(paths.map(path => [hashOf(path.name), path]))
  return { packs, paths: byHash, elsewhere: new Set(), layers: new Map(), ...more }
}

const outside = ['glibc', 'bash', 'gcc'].map(pathName)

type Node = {
  readonly pack: number
  readonly size: number
  readonly lastUse: number
  /** Each names an earlier path, or one that is elsewhere. */
  readonly references: readonly number[]
}

const node = fc.record<Node>({
  pack: fc.nat(5),
  size: fc.integer({ min: 1, max: 1000 }),
  lastUse: fc.integer({ min: now - 50, max: now + 5 }),
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
    const { size: fileSize, lastUse } = at
    return samplePath(name, { references, fileSize, lastUse, pack: packHash(`pack ${at.pack}`) })
  })
}

const layer = fc
  .tuple(fc.string(), fc.nat(), fc.integer({ min: now - 50, max: now }))
  .map(([text, size, lastUse]): LayerUse => ({ digest: sha256(text), size, lastUse }))

/** Closed indexes. `prefix` distinguishes the paths of one from those of another. */
export function indexes(prefix = 'p'): fc.Arbitrary<CacheIndex> {
  return fc
    .record({
      nodes: fc.array(node, { maxLength: 20 }),
      layers: fc.dictionary(fc.string({ minLength: 1, maxLength: 8 }), layer, { maxKeys: 3 }),
    })
    .map(({ nodes, layers }) =>
      sampleIndex(pathsOf(nodes, prefix, []), {
        elsewhere: new Set(outside),
        layers: new Map(Object.entries(layers)),
      }),
    )
}

/** What the policy may be asked: an index, candidates that refer to it, what was used of it, and a limit. */
export const questions: fc.Arbitrary<PlanInput> = fc
  .record({
    index: indexes(),
    added: fc.array(node, { maxLength: 10 }),
    used: fc.array(fc.nat(20), { maxLength: 6 }),
    unknown: fc.array(fc.nat(20), { maxLength: 3 }),
    limit: fc.nat(8000),
  })
  .map(({ index, added, used, unknown, limit }) => {
    const names = [...index.paths.values()].map(({ name }) => name)
    const hashes = [...index.paths.keys()]
    const some = (numbers: readonly number[]) =>
      new Set(numbers.flatMap(at => hashes[at % Math.max(1, hashes.length)] ?? []))
    const candidates: Candidate[] = pathsOf(added, 'c', names).map(path => ({
      path: { ...path, pack: '', lastUse: now },
      size: path.fileSize + 10,
    }))
    return { index, candidates, used: some(used), unknown: some(unknown), now, limit }
  })
