import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseLdCache } from '../../../../src/check/programs/ld-cache.ts'

type Library = { readonly name: string; readonly path: string }

/** Writes a cache as ldconfig does: `compat` has the older format before the newer one. */
function makeCache(libraries: readonly Library[], compat: boolean): Buffer {
  const count = libraries.length
  const header = Buffer.alloc(48)
  header.write('glibc-ld.so.cache1.1')
  header.writeUInt32LE(count, 20)
  header[28] = 2
  const entries = Buffer.alloc(24 * count)
  const texts: Buffer[] = []
  let at = 48 + 24 * count
  const text = (value: string) => {
    const place = at
    texts.push(Buffer.from(`${value}\0`))
    at += Buffer.byteLength(value) + 1
    return place
  }
  for (const [i, { name, path }] of libraries.entries()) {
    entries.writeUInt32LE(0x0303, i * 24)
    entries.writeUInt32LE(text(name), i * 24 + 4)
    entries.writeUInt32LE(text(path), i * 24 + 8)
  }
  const before = Buffer.alloc(compat ? Math.ceil((16 + 12 * count) / 8) * 8 : 0)
  if (compat) {
    before.write('ld.so-1.7.0')
    before.writeUInt32LE(count, 12)
  }
  return Buffer.concat([before, header, entries, ...texts])
}

const word = fc.stringMatching(/^[a-z.é]{1,8}$/)
const libraries = fc.array(fc.record({ name: word, path: word.map(name => `/lib/${name}`) }), {
  maxLength: 12,
})

test('every library of a cache is found, in its order, in both formats', () => {
  fc.assert(
    fc.property(libraries, fc.boolean(), (all, compat) => {
      const expected = Map.groupBy(all, ({ name }) => name)
      const found = parseLdCache(makeCache(all, compat))
      assert.deepEqual(
        [...found],
        [...expected].map(([name, some]) => [name, [...new Set(some.map(({ path }) => path))]]),
      )
    }),
  )
})

test('a damaged cache has fewer libraries, and nothing else happens', () => {
  const damage = fc.array(fc.record({ at: fc.nat(300), byte: fc.nat(255) }), { maxLength: 20 })
  fc.assert(
    fc.property(libraries, fc.boolean(), damage, fc.nat(800), (all, compat, changes, length) => {
      const bytes = Buffer.from(makeCache(all, compat)).subarray(0, length)
      for (const { at, byte } of changes) if (at < bytes.length) bytes[at] = byte
      const found = [...parseLdCache(bytes).values()].flat()
      assert.ok(found.length <= all.length)
    }),
    { numRuns: 2000 },
  )
  assert.equal(parseLdCache(Buffer.alloc(0)).size, 0)
  assert.equal(parseLdCache(Buffer.from('hello')).size, 0)
})
