import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, test } from 'node:test'
import { zstdDecompressSync } from 'node:zlib'
import { nixRelease, readStamp } from '../../script/parts/paths.ts'
import { narOf } from '../../src/cache/nar.ts'
import { writeSmallNars } from '../../src/cache/small-nars.ts'
import { narSizeOf } from '../../src/reproduce/nar-size.ts'
import { nixBase32 } from '../../src/util/base32.ts'
import { Machine } from '../harness/machine.ts'
import { expect, installByHand } from '../harness/nix-by-hand.ts'

const unavailable = Machine.unavailable()
const release = readStamp() === undefined ? undefined : nixRelease().releases[0]

/** Trees that are hard for whoever sorts, encodes, or forgets a bit. */
function makeTrees(root: string): string[] {
  const at = (...names: string[]) => join(root, ...names)
  const bytes = (folder: string, name: readonly number[]) =>
    Buffer.concat([Buffer.from(`${at(folder)}/`), Buffer.from(name)])
  mkdirSync(at('empty'))
  writeFileSync(at('file'), 'content')
  writeFileSync(at('nothing'), '')
  writeFileSync(at('program'), '#!/bin/sh\n')
  chmodSync(at('program'), 0o555)
  symlinkSync('../anywhere/at all', at('link'))
  mkdirSync(at('order'))
  for (const name of ['a', 'a.b', 'a-b', 'ab', 'A', 'a b', '~', '_', 'Z', 'é', 'z', '日本', '😀'])
    writeFileSync(at('order', name), name)
  mkdirSync(at('order', 'a.d'))
  writeFileSync(at('order', 'a.d', 'x'), '')
  mkdirSync(at('bytes'))
  for (const name of [[0xff, 0x61], [0x0a], [0x61, 0x0a, 0x62], [0xc3, 0x28], [0x22, 0x5c]])
    writeFileSync(bytes('bytes', name), Buffer.from(name))
  symlinkSync(Buffer.from([0x2f, 0xff, 0xfe]), bytes('bytes', [0xfe]))
  mkdirSync(at('deep'))
  let deep = at('deep')
  for (let level = 0; level < 40; level++) {
    deep = join(deep, `level-${level}`)
    mkdirSync(deep)
  }
  writeFileSync(join(deep, 'end'), Buffer.alloc(100_003, 7))
  mkdirSync(at('lengths'))
  for (let length = 0; length < 20; length++)
    writeFileSync(at('lengths', 'x'.repeat(length + 1)), 'y'.repeat(length))
  for (const mode of [0o400, 0o500, 0o644, 0o755, 0o010]) {
    writeFileSync(at('lengths', `mode-${mode}`), '')
    chmodSync(at('lengths', `mode-${mode}`), mode)
  }
  return ['empty', 'file', 'nothing', 'program', 'link', 'order', 'bytes', 'deep', 'lengths'].map(name =>
    at(name),
  )
}

suite('NARs', { skip: unavailable ?? false }, () => {
  const root = mkdtempSync(join(tmpdir(), 'nar-'))
  let trees: readonly { readonly path: string; readonly narSize: number; readonly sha256: string }[]
  before(async () => {
    assert.ok(release !== undefined)
    const paths = makeTrees(root)
    await using machine = await Machine.create({ user: 'root', binds: [root] })
    const env = await installByHand(machine, release)
    trees = await Promise.all(
      paths.map(async path => {
        const dump = 'nix-store --dump "$1" > /tmp/nar-$2; wc -c < /tmp/nar-$2; sha256sum < /tmp/nar-$2'
        const name = path.slice(root.length + 1)
        const said = await expect(machine.run(['sh', '-euc', dump, 'sh', path, name], { env }))
        const [size = '', sum = ''] = said.split('\n')
        return { path, narSize: Number(size), sha256: sum.slice(0, 64) }
      }),
    )
  })
  after(() => rmSync(root, { recursive: true }))

  test('are byte for byte what Nix makes', () => {
    for (const { path, narSize, sha256 } of trees)
      assert.equal(createHash('sha256').update(narOf(path, narSize)).digest('hex'), sha256, path)
  })

  test('are as long as it is said of what is in no database', () => {
    for (const { path, narSize } of trees) assert.equal(narSizeOf(path), narSize, path)
  })

  test('are refused where the size is another one', () => {
    for (const { path, narSize } of trees) {
      assert.throws(() => narOf(path, narSize - 8), /is larger than Nix says/, path)
      assert.throws(() => narOf(path, narSize + 8), /is smaller than Nix says/, path)
    }
  })

  test('are compressed in threads, each verified, and what is damaged is left out', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'nars-'))
    try {
      const worker = join(import.meta.dirname, '../../src/nar-worker.ts')
      const info = (path: string, narSize: number, sha256: string) => ({
        ...{ path, narSize, narHash: `sha256-${Buffer.from(sha256, 'hex').toString('base64')}` },
        ...{ references: [], deriver: undefined, signatures: [], ca: undefined },
        ...{ registrationTime: 0, ultimate: true },
      })
      // More than each thread is given at once.
      const many = Array.from({ length: 40 }, () => trees).flat()
      const good = many.map(({ path, narSize, sha256 }) => info(path, narSize, sha256))
      const damaged = info(join(root, 'file'), trees[1]?.narSize ?? 0, '0'.repeat(64))
      const absent = info(join(root, 'absent'), 120, '0'.repeat(64))
      const { nars, problems } = await writeSmallNars({ paths: [...good, absent], folder, worker })
      assert.match(problems.join('\n'), /^ENOENT: no such file/)
      assert.deepEqual([...nars.keys()].sort(), trees.map(({ path }) => path).sort())
      for (const { path, sha256 } of trees) {
        const { file = '', fileHash, fileSize } = nars.get(path) ?? {}
        const bytes = readFileSync(file)
        assert.equal(bytes.length, fileSize)
        assert.equal(nixBase32(createHash('sha256').update(bytes).digest()), fileHash)
        assert.equal(createHash('sha256').update(zstdDecompressSync(bytes)).digest('hex'), sha256)
      }
      const wrong = await writeSmallNars({ paths: [damaged], folder, worker })
      assert.equal(wrong.nars.size, 0)
      assert.match(wrong.problems.join('\n'), /file is not what Nix registered$/)
      await assert.rejects(writeSmallNars({ paths: good, folder, worker: join(root, 'no-worker.ts') }))
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
