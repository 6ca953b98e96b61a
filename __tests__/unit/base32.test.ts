import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { fromNixBase32, nixBase32 } from '../../src/util/base32.ts'

test("base 32 is Nix's", () => {
  const digest = createHash('sha256').digest()
  assert.equal(nixBase32(digest), '0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73')
  const twenty = Buffer.from('da39a3ee5e6b4b0d3255bfef95601890afd80709', 'hex')
  assert.equal(nixBase32(twenty), '143xibwh31h9bvxzalr0sjvbbvpa6ffs')
})

test('it is the number that the bytes are, the first one least', () => {
  const alphabet = '0123456789abcdfghijklmnpqrsvwxyz'
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), bytes => {
      const text = nixBase32(bytes)
      const value = [...text].reduce((sum, digit) => sum * 32n + BigInt(alphabet.indexOf(digit)), 0n)
      assert.equal(
        value,
        bytes.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n),
      )
      assert.equal(text.length, Math.ceil((bytes.length * 8) / 5))
    }),
  )
})

test('a text is read back as the bytes that it was made of, and no other text is taken', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), bytes => {
      assert.deepEqual(fromNixBase32(nixBase32(bytes)), Buffer.from(bytes))
    }),
  )
  fc.assert(
    fc.property(fc.string({ maxLength: 60 }), text => {
      const bytes = fromNixBase32(text)
      if (bytes !== undefined) assert.equal(nixBase32(bytes), text)
    }),
  )
  for (const text of ['e', 'zz!', 'z', '-', '0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c7O'])
    assert.equal(fromNixBase32(text), undefined, text)
})
