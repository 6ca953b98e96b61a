import { existsSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runNix } from '../nix/cli.js'
import { parseDerivation } from '../nix/derivation.js'

import { messageOf } from '../util/errors.js'

import { closeReferences } from './closure.js'
import { hashOf } from './model.js'
import { narFile, renderNarInfo, storeDir } from './narinfo.js'
import { neededPaths } from './needs.js'

/**
 * Brings into the store what Nix would substitute from the cache to have the wanted outputs. A pack is an ordinary
 * binary cache in a folder, and `nix copy` from there takes less time than Nix needs to ask for thousands of small
 * paths one by one. The packs are copied as they arrive. What cannot be brought so, since what it refers to is nowhere
 * or since something is amiss with its pack, is left to the substituter. Never throws.
 */
export async function bringPaths(wanted, options) {
  const { index } = options
  const needed = await neededPaths({ wanted, index, isThere: existsSync, derivation: readDerivation })
  return bringAll(needed, options)
}

/** As `bringPaths`, where it is known what is needed. */
export async function bringAll(needed, options) {
  const { nix, log } = options
  const brought = new Map()
  try {
    const isThere = name => brought.has(name) || existsSync(join(storeDir, name))
    const elsewhere = lacking(needed).filter(name => !isThere(name))
    const expected = new Set(elsewhere)
    const whole = closeReferences(referencesOf(needed), name => expected.has(name) || isThere(name))
    const [some, others] = [
      needed.filter(({ name }) => whole.has(name)),
      needed.filter(({ name }) => !whole.has(name)),
    ]
    const substituter = packsOf(options.url, nix.signal)
    const waiting = Map.groupBy(some, ({ pack }) => pack)
    const arriving = new Map(
      [...waiting.keys()].map(pack => [pack, substituter.folder(pack).then(folder => ({ pack, folder }))]),
    )
    // Nix will ask for these next.
    await substituter.want([...new Set(others.map(({ pack }) => pack))])
    // While the packs come.
    if (elsewhere.length > 0) await options.fetch(elsewhere.map(name => join(storeDir, name)))
    const folders = new Map()
    while (arriving.size > 0) {
      const { pack, folder } = await Promise.race(arriving.values())
      arriving.delete(pack)
      if (folder === undefined) continue
      folders.set(pack, folder)
      // What has come may be what paths of other packs have waited for.
      while (await copyWhatIsReady()) {}
    }

    async function copyWhatIsReady() {
      for (const [pack, folder] of folders) {
        const paths = waiting.get(pack) ?? []
        const closed = closeReferences(referencesOf(paths), isThere)
        if (closed.size === 0) continue
        const ready = paths.filter(({ name }) => closed.has(name))
        waiting.set(
          pack,
          paths.filter(({ name }) => !closed.has(name)),
        )
        const { copied, problem } = await copy(nix, folder, ready)
        for (const path of copied) brought.set(path.name, path)
        if (problem !== undefined) log.debug(`Pack ${pack} is left to the substituter: ${problem}`)
        return true
      }
      return false
    }
  } catch (error) {
    log.debug(`What is needed was not all brought ahead of the build: ${messageOf(error)}`)
  }
  const paths = [...brought.keys()].map(name => join(storeDir, name))
  return { paths, bytes: brought.values().reduce((sum, { fileSize }) => sum + fileSize, 0) }
}

/** Names of what the paths refer to and what is not among them. */
function lacking(paths) {
  const among = new Set(paths.map(({ name }) => name))
  return [...new Set(paths.flatMap(({ references }) => references))].filter(name => !among.has(name))
}

function referencesOf(paths) {
  return new Map(paths.map(({ name, references }) => [name, references]))
}

/** Copies paths whose references the store has. All or, as far as is known, none of them are copied. */
async function copy(nix, folder, paths) {
  if (!paths.every(path => isDescribed(folder, path)))
    return { copied: [], problem: 'it does not hold what the index says' }
  const { code, stderr } = await runNix(
    nix,
    'nix',
    [
      ...['--extra-experimental-features', 'nix-command', 'copy', '--no-recursive', '--stdin'],
      ...['--no-check-sigs', '--from', `file://${folder}`],
    ],
    { input: Buffer.from(paths.map(({ name }) => `${storeDir}/${name}\n`).join('')) },
  )
  return code === 0 ? { copied: paths } : { copied: [], problem: stderr.trim().split('\n').at(-1) ?? '' }
}

/** Nix verifies a NAR against the hash that the pack itself tells: that one must be the index's. */
function isDescribed(folder, path) {
  try {
    // Sync: of thousands of small files each would cost a turn of the event loop.
    const text = readFileSync(join(folder, `${hashOf(path.name)}.narinfo`), 'utf8')
    return text === renderNarInfo(path, narFile(path.fileHash))
  } catch {
    return false
  }
}

async function readDerivation(drvPath) {
  const text = await readFile(drvPath, 'utf8').catch(() => undefined)
  return text === undefined ? undefined : parseDerivation(text)
}

/** The packs that the substituter has or fetches. What it does not answer counts as not to be had. */
function packsOf(url, signal) {
  const address = path => {
    const { origin, pathname } = new URL(url)
    return `${origin}${pathname}/${path}`
  }
  const init = signal === undefined ? {} : { signal }
  return {
    async folder(pack) {
      try {
        const response = await fetch(address(`packs/${pack}`), init)
        return response.ok ? await response.text() : undefined
      } catch {
        return undefined
      }
    },
    /** Has packs fetched without waiting for them. */
    async want(packs) {
      if (packs.length === 0) return
      await fetch(address('want'), { ...init, method: 'POST', body: JSON.stringify(packs) })
    },
  }
}
