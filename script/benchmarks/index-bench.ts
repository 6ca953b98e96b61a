import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { writeIndex } from '../../src/cache/index-writing.ts'
import { packKey } from '../../src/cache/keys.ts'
import { type CachedPath, type CacheIndex, emptyIndex, hashOf } from '../../src/cache/model.ts'
import { nixBase32 } from '../../src/util/base32.ts'
import type { IndexAnswer } from './index-step.ts'
import { type IndexResult, median } from './results.ts'
import type { Setting } from './setting.ts'
import { describeStore } from './stores.ts'

/** Measures what it costs to open an index of so many paths. */
export async function benchIndex(setting: Setting, paths: number, rounds: number): Promise<IndexResult> {
  const file = join(setting.folder, 'index.json')
  await writeIndex(file, indexOf(paths))
  const answers: IndexAnswer[] = []
  for (let round = 0; round < rounds; round++) {
    // As the process that serves the index is started.
    const argv = ['--max-semi-space-size=4', setting.programs.index, JSON.stringify({ file })]
    const { stdout } = await promisify(execFile)(process.execPath, argv)
    const answer: IndexAnswer = JSON.parse(stdout)
    if (answer.paths !== paths) throw new Error(`the index has ${answer.paths} paths, not ${paths}`)
    answers.push(answer)
  }
  const over = (of: (answer: IndexAnswer) => number) => median(answers.map(of))
  return {
    ...{ paths, size: (await stat(file)).size, milliseconds: over(answer => answer.milliseconds) },
    ...{ peak: over(answer => answer.peak), grown: over(answer => answer.peak - answer.before) },
  }
}

/** The index of a store of small paths that was saved at once, two thousand of them in a pack. */
function indexOf(count: number): CacheIndex {
  const { old, added } = describeStore(String(count))
  const sha256 = (text: string) => createHash('sha256').update(text)
  const packOf = (at: number) => sha256(`pack ${Math.floor(at / 2000)}`).digest('hex')
  const paths = [...old, ...added].map(({ name, references, bytes }, at): CachedPath => {
    const hash = (of: string) => nixBase32(sha256(`${of} ${name}`).digest())
    return {
      ...{ name, references, narHash: hash('nar'), narSize: bytes, fileHash: hash('file') },
      ...{ fileSize: Math.round(bytes / 3), pack: packOf(at), lastUse: 1_700_000_000, origin: 'built' },
      ...{
        deriver: `${nixBase32(sha256(`derivation ${name}`).digest().subarray(0, 20))}-${name.slice(33)}.drv`,
      },
      cost: 1.5,
    }
  })
  const name = { system: 'x86_64-linux', scope: '' }
  const packs = new Set(paths.map(({ pack }) => pack))
  return {
    ...emptyIndex,
    packs: new Map(
      [...packs].map(hash => [hash, { key: packKey(name, hash), size: 64e6, created: 1_700_000_000 }]),
    ),
    paths: new Map(paths.map(path => [hashOf(path.name), path])),
  }
}
