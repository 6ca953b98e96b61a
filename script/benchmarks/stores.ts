import { createHash } from 'node:crypto'
import { nixBase32 } from '../../src/util/base32.ts'
import { randomFrom } from './random.ts'

/** A store path that is to be made. */
export type PathSpec = {
  /** `<32 characters>-<name>` */
  readonly name: string
  /** Names of other paths of the store. */
  readonly references: readonly string[]
  readonly files: number
  /** Bytes in all its files. */
  readonly bytes: number
  /** From which its contents are made. */
  readonly seed: number
}

/** Store paths for a benchmark: what was there before, and what a commit has added to it. */
export type StoreSpec = {
  readonly name: string
  /** References before what refers to them. About 95 %, closed. */
  readonly old: readonly PathSpec[]
  /** About 5 %, in the same order. */
  readonly added: readonly PathSpec[]
  /** Paths that need all of the old ones. */
  readonly oldRoots: readonly string[]
  /** The path that needs all others. */
  readonly root: string
  /** A path that needs about a tenth of them. */
  readonly tenth: string
}

export type Shape = { readonly paths: number; readonly filesEach: number; readonly bytesEach: number }

/** Small paths are as many real ones are: some files of some kilobytes. */
const small = { filesEach: 7, bytesEach: 42_000 }

/** As a nixpkgs checkout, a compiler and some libraries of documentation: 1.5 GB in 70,000 files. */
const big: Shape = { paths: 40, filesEach: 1750, bytesEach: 37_500_000 }

/** A fifth of that, where it is xz that makes it. */
const large: Shape = { paths: 40, filesEach: 350, bytesEach: 7_500_000 }

/**
 * @param size `big`, `large`, or how many small paths: `5000`, `5k`
 * @returns undefined for anything else
 */
export function parseSize(size: string): Shape | undefined {
  if (size === 'big') return big
  if (size === 'large') return large
  const [, number, thousands] = /^([1-9]\d{0,5})(k?)$/.exec(size) ?? []
  const paths = Number(number) * (thousands ? 1000 : 1)
  return number === undefined || paths < 40 || paths > 100_000 ? undefined : { paths, ...small }
}

const groups = 12

/**
 * Lays out the paths: a few that everything needs, twelve groups of the same size, each with one path that needs the
 * whole group, and the 5 % that are new. Pure, and the same for the same name.
 * @throws Error for a size that `parseSize` does not know
 */
export function describeStore(name: string): StoreSpec {
  const shape = parseSize(name)
  if (shape === undefined) throw new Error(`there is no store '${name}'`)
  const base = part('base', Math.max(1, Math.round(shape.paths * 0.02)), [], shape)
  const fresh = Math.max(2, Math.round(shape.paths * 0.05)) - 1
  const rest = shape.paths - base.length - fresh - 1
  const grouped = Array.from({ length: groups }, (_, group) => {
    const count = Math.floor(rest / groups) + (group < rest % groups ? 1 : 0)
    return part(`group${group}`, count, base, shape)
  })
  const added = part('added', fresh, base, shape)
  const tops = [...grouped, added].map(topOf)
  const root = path('root', 0, tops, shape)
  return {
    name,
    old: [...base, ...grouped.flat()],
    added: [...added, root],
    oldRoots: grouped.map(topOf),
    root: root.name,
    tenth: topOf(grouped.at(-1) ?? []),
  }
}

function topOf(paths: readonly PathSpec[]): string {
  return paths.at(-1)?.name ?? ''
}

/** Paths of which the last one needs all others, at most a few steps away, and of which each needs some of the base. */
function part(word: string, count: number, base: readonly PathSpec[], shape: Shape): PathSpec[] {
  const random = randomFrom(numberOf(`${word} ${shape.paths}`))
  const paths: PathSpec[] = []
  const nameAt = (at: number) => paths[count - 1 - at]?.name ?? ''
  for (let index = count - 1; index >= 0; index--) {
    const needed = new Set<string>()
    for (let child = 3 * index + 1; child <= 3 * index + 3 && child < count; child++)
      needed.add(nameAt(child))
    const later = count - 1 - index
    for (let extra = 0; extra < Math.min(2, later); extra++)
      needed.add(nameAt(index + 1 + random.below(later)))
    for (let extra = 0; extra < Math.min(2, base.length); extra++)
      needed.add(base[base.length - 1 - (extra === 0 ? 0 : random.below(base.length))]?.name ?? '')
    paths.push(path(word, index, [...needed], shape))
  }
  return paths
}

/** A path of about the size that paths of the shape have. Pure, and the same for the same word and number. */
export function path(word: string, index: number, references: readonly string[], shape: Shape): PathSpec {
  const seed = numberOf(`${word} ${index} of ${shape.paths}`)
  const random = randomFrom(seed)
  const digest = createHash('sha256').update(`${word} ${index} of ${shape.paths}`).digest()
  // The mean is 1.
  const factor = 0.25 + 1.5 * random.next()
  return {
    name: `${nixBase32(digest.subarray(0, 20))}-${word}-${index}`,
    references: references.toSorted(),
    files: Math.max(1, Math.round(shape.filesEach * factor)),
    bytes: Math.round(shape.bytesEach * factor),
    seed,
  }
}

function numberOf(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32LE()
}
