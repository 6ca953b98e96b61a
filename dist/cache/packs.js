import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { lstat, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { limiter } from '../util/limiter.js'

import { narFile, nixBase32 } from './narinfo.js'

/** @returns `<folder>/packs/<hash>`: where a pack lies while it is used or made. */
export function packFolder(folder, hash) {
  return join(folder, 'packs', hash)
}

/** Any number of requests for the same pack are one fetch. What cannot be had is not asked for again. */
export function lazyPacks({ index, entries, folder, log, concurrency = 4 }) {
  const limit = limiter(concurrency)
  const fetches = new Map()
  const verified = new Map()
  const lost = new Map()
  const fetched = []
  let [bytes, seconds] = [0, 0]

  function fetch(hash) {
    return remembered(fetches, hash, () =>
      limit(async () => {
        const pack = index.packs.get(hash)
        if (pack === undefined) return false
        const began = performance.now()
        const result = await entries.restore(packFolder(folder, hash), pack.key)
        const took = (performance.now() - began) / 1000
        seconds += took
        if (result.outcome === 'restored') {
          fetched.push(hash)
          bytes += pack.size
          log.info(`pack ${hash}: ${pack.size} bytes in ${took.toFixed(2)} s`)
          return true
        }
        lost.set(hash, result.outcome === 'missing' ? 'gone' : 'unreachable')
        log.info(`pack ${hash}: ${result.outcome === 'missing' ? 'is gone' : result.why}`)
        await rm(packFolder(folder, hash), { recursive: true, force: true })
        return false
      }),
    )
  }

  return {
    has: hash => index.packs.has(hash) && !lost.has(hash),
    async file(path) {
      if (!(await fetch(path.pack)) || lost.has(path.pack)) return undefined
      const file = join(packFolder(folder, path.pack), narFile(path.fileHash))
      if (await remembered(verified, file, () => verify(file, path))) return file
      if (!lost.has(path.pack)) log.info(`pack ${path.pack}: ${narFile(path.fileHash)} is damaged or missing`)
      lost.set(path.pack, 'gone')
      return undefined
    },
    get stats() {
      const those = state =>
        lost
          .entries()
          .filter(([, why]) => why === state)
          .map(([hash]) => hash)
          .toArray()
      return { fetched: [...fetched], gone: those('gone'), unreachable: those('unreachable'), bytes, seconds }
    },
  }
}

/** Size and digest must be what the index says. A link is followed nowhere. */
async function verify(file, { fileHash, fileSize }) {
  try {
    const found = await lstat(file)
    if (!found.isFile() || found.size !== fileSize) return false
    const hash = createHash('sha256')
    await pipeline(createReadStream(file), hash)
    return nixBase32(hash.digest()) === fileHash
  } catch {
    return false
  }
}

function remembered(known, key, make) {
  const found = known.get(key)
  if (found !== undefined) return found
  const made = make()
  known.set(key, made)
  return made
}
