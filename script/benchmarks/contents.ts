import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Random, randomFrom } from './random.ts'
import type { PathSpec } from './stores.ts'

/** Makes what a store path's files hold, each as long as it is told. */
export type Contents = (random: Random) => (length: number) => Buffer

/** Words that all paths have some of, as programs do that are made by the same compilers. */
const shared = randomFrom(1).bytes(64 * 1024)

/**
 * Writes a store path: folders, files of very different sizes, some of them programs, and links.
 * @param folder a store; it has nothing of that name
 */
export function writePath(folder: string, spec: PathSpec, contents: Contents = words): void {
  const { name, references, files, bytes, seed } = spec
  const random = randomFrom(seed)
  const make = contents(random)
  const root = join(folder, name)
  const weights = Array.from({ length: files }, () => Math.exp(4 * random.next()))
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  mkdirSync(root)
  let directory = root
  weights.forEach((weight, index) => {
    if (index % 25 === 0) {
      directory = join(root, ['bin', 'lib', 'share', 'include'][(index / 25) % 4] ?? '', `part-${index / 25}`)
      mkdirSync(directory, { recursive: true })
    }
    const content = make(Math.round((bytes * weight) / total))
    const mode = random.next() < 0.1 ? 0o755 : 0o644
    writeFileSync(join(directory, `file-${index}`), content, { mode })
    if (index % 10 === 9) symlinkSync(`file-${index}`, join(directory, `link-${index}`))
  })
  // Where Nix would find them.
  writeFileSync(join(root, 'references'), references.map(path => `/nix/store/${path}\n`).join(''))
}

/**
 * Words that came before, and in between what did not. Compressed they become somewhat more than a third, and little
 * less together with those of other paths, as 56 MB of programs and texts from a Debian system did in pieces of the
 * size of a store path.
 */
function words(random: Random): (length: number) => Buffer {
  const own = random.bytes(4096)
  return length => {
    const result = Buffer.allocUnsafe(length)
    const fresh = random.bytes(Math.ceil(length / 4) + 16)
    let [at, used] = [0, 0]
    while (at < length) {
      const source = random.below(12) === 0 ? shared : own
      const run = 8 + random.below(48)
      const from = random.below(source.length - run)
      at += source.copy(result, at, from, from + run)
      const some = 4 + random.below(8)
      at += fresh.copy(result, at, used % fresh.length, (used % fresh.length) + some)
      used += some
    }
    return result
  }
}
