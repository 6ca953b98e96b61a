import { rm } from 'node:fs/promises'

import { nextPackKey, packKey } from './keys.js'
import { makePack } from './pack.js'

/**
 * Makes packs and uploads them, one after the other: each lies on the disk twice while it is archived, and one upload
 * fills the line. The first one that is denied is the last one that is tried.
 */
export async function uploadPacks(packs, options) {
  const { folder, store, created, gone, random } = options
  const uploaded = []
  const problems = []
  for (const members of packs) {
    const pack = await makePack(members, folder)
    const { hash, size } = pack
    const { result, key } = await upload(pack, { random, store, damaged: gone.has(hash) })
    await rm(pack.folder, { recursive: true, force: true })
    if (result.outcome === 'denied') return { uploaded, problems, denied: result.why }
    if (result.outcome === 'failed') {
      problems.push(`A pack was not saved: ${result.why}.`)
      // A service that hangs takes ten minutes for each: what went up so far is worth more than the rest.
      return { uploaded, problems }
    } else {
      const bytesSent = result.outcome === 'saved' ? size : 0
      uploaded.push({ hash, key, size, created, members, bytesSent })
    }
  }
  return { uploaded, problems }
}

async function upload(pack, options) {
  const { random, store, damaged } = options
  const key = packKey(pack.hash)
  const result = await store.save(pack.folder, key)
  if (result.outcome !== 'exists') return { result, key }
  // A job that was killed leaves the key reserved: it finds nothing and is blocked for everybody else.
  if (!damaged && (await store.find(pack.folder, key)).outcome === 'restored') return { result, key }
  const other = nextPackKey(pack.hash, random())
  const second = await store.save(pack.folder, other)
  if (second.outcome !== 'exists') return { result: second, key: other }
  return { result: { outcome: 'failed', why: `its keys ${key} and ${other} are taken` }, key: other }
}
