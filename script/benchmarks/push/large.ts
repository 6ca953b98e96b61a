import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from '../../../__tests__/harness/nix-by-hand.ts'
import type { Contents } from '../contents.ts'
import { randomFrom } from '../random.ts'
import { Bench, type Setting } from '../setting.ts'
import { writeConf } from './files.ts'
import { freshRegistry } from './registry.ts'
import type { LargeResult } from './results.ts'
import { push } from './tools.ts'

const name = '00000000000000000000000000000000-large'
const pieceSize = 1024 ** 2

/** Measures what it takes us to push one layer of so many bytes, from the store. */
export async function benchLarge(
  setting: Setting,
  options: { readonly bytes: number; readonly contents: Contents; readonly say: (line: string) => void },
): Promise<LargeResult[]> {
  const { bytes, contents, say } = options
  say(`large: a layer of ${bytes} bytes is made`)
  // On disk: in memory it might not fit.
  const folder = join(setting.folder, 'large')
  writeLarge(folder, bytes, contents)
  await using bench = await Bench.create(setting)
  const path = `/nix/store/${name}`
  await expect(bench.machine.run(['mkdir', path]))
  await expect(bench.machine.run(['mount', '--bind', folder, path]))
  // Nix takes it at our word, so that it need not be read.
  await bench.nix(['nix-store', '--load-db'], [path, '0'.repeat(64), bytes, '', 0, ''].join('\n'))
  const conf = writeConf(bench, 'large', [{ name }])
  const results: LargeResult[] = []
  for (const compression of ['zstd', 'gzip'] as const) {
    await using registry = await freshRegistry(setting, bench)
    const work = { setting, bench, sources: { conf, archive: '' }, name: registry.name, tag: 'main' }
    const use = await push({ tool: 'ours', from: 'store', compression }, work)
    say(
      `large: ${compression}: ${use.seconds.toFixed(2)} s, at most ${Math.round(use.peak / 1e6)} MB of memory`,
    )
    results.push({ ...use, compression, bytes })
  }
  return results
}

function writeLarge(folder: string, bytes: number, contents: Contents): void {
  mkdirSync(folder)
  const make = contents(randomFrom(1))
  const fd = openSync(join(folder, 'large'), 'wx')
  try {
    for (let left = bytes; left > 0; left -= pieceSize) writeSync(fd, make(Math.min(left, pieceSize)))
  } finally {
    closeSync(fd)
  }
}
