import { Readable } from 'node:stream'
import { spoolArchive } from '../image/archive-file.js'
import { packingOf, unpack } from '../image/compression.js'
import { codeOf } from '../util/errors.js'
import { isTar } from '../util/tar.js'
import { any } from './any.js'
import { buildIdsOf } from './build-id.js'
import { bytesAt, chunksOf, endedBy, firstDifference, readUpTo } from './bytes.js'
import { areReordered, kindOf } from './kind.js'

import { compareTars, readTar } from './tar.js'

/** Archives in one another that are looked into. */
const deepest = 5
/** Bytes of the largest text whose words are compared. */
const longestText = 4 * 1024 * 1024
/** Bytes on each side of a difference that tell what it is. */
const context = 256

/**
 * What differs between two files; in an archive, compressed or not, what differs in it.
 * @throws UserError when the disk is full
 */
export async function* compareFiles(first, second, options) {
  const { depth = 0, signal } = options
  const offset = await firstDifference(endedBy(signal, first), endedBy(signal, second))
  if (offset === undefined) return
  if (depth < deepest && (yield* compareInside(first, second, { ...options, depth: depth + 1 }))) return
  yield await compareContent(first, second, offset, options.where)
}

/** @returns whether they are archives in which something differs */
async function* compareInside(first, second, options) {
  const { where } = options
  const heads = [await headOf(first), await headOf(second)]
  if (heads.every(isTar)) {
    const [one, other] = [await readTar(first), await readTar(second)]
    if (one === undefined || other === undefined) return false
    const compare = (one, other, name) => compareFiles(one, other, { ...options, where: name })
    return yield* any(compareTars(one, other, { where, compare }))
  }
  const [packing, same] = heads.map(packingOf)
  if (packing !== same || (packing !== 'gzip' && packing !== 'zstd')) return false
  const one = await unpacked(first, packing, options)
  if (one === undefined) return false
  try {
    const other = await unpacked(second, packing, options)
    if (other === undefined) return false
    try {
      return yield* any(compareFiles(one, other, options))
    } finally {
      await other.close()
    }
  } finally {
    await one.close()
  }
}

async function headOf(source) {
  return await readUpTo(source, { start: 0, end: 512 })
}

/** @returns undefined where it is damaged */
async function unpacked(source, packing, { scratch, signal }) {
  const bytes = Readable.from(chunksOf(endedBy(signal, source)), { objectMode: false })
  try {
    return await spoolArchive(sink => sink(unpack(bytes, packing)), { name: source.name, scratch })
  } catch (error) {
    if (/^(Z_|ZSTD_error_|ERR_TRAILING_JUNK)/.test(codeOf(error) ?? '')) return undefined
    throw error
  }
}

async function compareContent(first, second, offset, where) {
  const [ids, others] = [await buildIdsOf(first), await buildIdsOf(second)]
  const skip = JSON.stringify(ids) === JSON.stringify(others) ? ids : []
  // The build id differs because something else does, unless nothing else does.
  const cause = skip.length === 0 ? offset : await firstDifference(first, second, skip)
  const bytes = await bytesAt(first, second, cause ?? offset)
  if (cause === undefined) return { where, kind: 'build-id', bytes }
  const around = { start: Math.max(0, cause - context), end: cause + context }
  const kind = kindOf({
    ...{ name: where, offset: cause, start: around.start },
    first: await readUpTo(first, around),
    second: await readUpTo(second, around),
  })
  if (kind !== 'content') return { where, kind, bytes }
  const [packing, same] = [await headOf(first), await headOf(second)].map(packingOf)
  if (packing !== undefined && packing === same) return { where, kind: 'packing', bytes }
  const reordered = first.size === second.size && first.size <= longestText
  if (reordered && areReordered(await textOf(first), await textOf(second)))
    return { where, kind: 'order', bytes }
  return { where, kind, bytes }
}

async function textOf(source) {
  return (await source.read(0, source.size)).toString('latin1')
}
