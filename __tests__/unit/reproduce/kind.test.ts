import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { areReordered, kindOf } from '../../../src/reproduce/kind.ts'

/** What is said of two files that are not the same; as if they stood at `start` of larger ones. */
function kind(first: Buffer | string, second: Buffer | string, { name = 'file', start = 0 } = {}) {
  const [one, other] = [Buffer.from(first), Buffer.from(second)]
  const at = one.findIndex((byte, i) => byte !== other[i])
  assert.notEqual(at, -1, 'the sample differs')
  return kindOf({ name, start, first: one, second: other, offset: start + at })
}

const two = (number: number) => String(number).padStart(2, '0')
const names = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** Ways in which programs write a time. */
const forms: Readonly<Record<string, (date: Date) => string>> = {
  ISO: date => date.toISOString(),
  'without zone': date => date.toISOString().slice(0, 19).replace('T', ' '),
  day: date => date.toISOString().slice(0, 10),
  compact: date => `${date.toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`,
  HTTP: date => date.toUTCString(),
  // As `date` and `ctime` write it, and __DATE__ and __TIME__ of C.
  ctime: date =>
    `${date.toUTCString().slice(0, 3)} ${names[date.getUTCMonth()]} ${date.getUTCDate()} ${date.toISOString().slice(11, 19)} ${date.getUTCFullYear()}`,
  __DATE__: date =>
    `${names[date.getUTCMonth()]} ${String(date.getUTCDate()).padStart(2)} ${date.getUTCFullYear()}`,
  __TIME__: date => `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`,
  seconds: date => String(Math.floor(date.getTime() / 1000)),
  milliseconds: date => String(date.getTime()),
  nanoseconds: date => `${date.getTime()}123456`,
}

for (const [form, write] of Object.entries(forms))
  test(`a time in a text: ${form}`, () => {
    const date = fc.date({ min: new Date('2015-01-01'), max: new Date('2033-01-01'), noInvalidDate: true })
    const around = fc.constantFrom('', ' ', '"', '\0', 'on: ', '<i>')
    fc.assert(
      fc.property(date, date, around, around, (one, other, before, after) => {
        fc.pre(write(one) !== write(other))
        assert.equal(kind(before + write(one) + after, before + write(other) + after), 'time')
      }),
    )
  })

test('the folder of a build, and a store path', () => {
  const rows = [
    ['/build/tmp.Ab12/src/main.c', '/build/tmp.Xy34/src/main.c'],
    ['/tmp/nix-build-app-1.0.drv-0/src', '/tmp/nix-build-app-1.0.drv-1/src'],
    ['/nix/var/nix/builds/nix-2489-1755778078/build/x', '/nix/var/nix/builds/nix-2489-1644667967/build/x'],
    [`/nix/store/${'a'.repeat(32)}-app/bin`, `/nix/store/${'b'.repeat(32)}-app/bin`],
  ] as const
  for (const [one, other] of rows) {
    assert.equal(kind(one, other), 'path')
    assert.equal(kind(`x = "${one}";`, `x = "${other}";`, { start: 4096 }), 'path')
  }
})

test('words and numbers that are neither are content', () => {
  const rows = [
    ['seed 0.123', 'seed 0.456'],
    ['version 1.2.3', 'version 1.2.4'],
    ['deadbeef1700000000 x', 'deadbeef1700000001 x'],
    ['x 1700000000cafe', 'x 1700000001cafe'],
    ['/usr/lib/a', '/usr/lib/b'],
    ['2024-01-01 a', '2024-01-01 b'],
    [`sha256-${'A'.repeat(43)}=`, `sha256-${'B'.repeat(43)}=`],
  ] as const
  for (const [one, other] of rows) assert.equal(kind(one, other), 'content', one)
})

/** A file with other bytes from `at` on. */
function changed(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes)
  copy.writeUInt8((copy.readUInt8(at) + 1) % 256, at)
  return copy
}

test('the time of gzip, and no other byte of its header', () => {
  const file = gzipSync('content')
  for (let at = 4; at < 8; at++) assert.equal(kind(file, changed(file, at)), 'time')
  for (const at of [8, 9, 12]) assert.equal(kind(file, changed(file, at)), 'content')
  assert.equal(kind(file, changed(file, 4), { start: 4096 }), 'content', 'only at the beginning of a file')
})

test('the time of compiled Python, unless a hash stands there', () => {
  const file = Buffer.concat([Buffer.from('f30d0d0a00000000', 'hex'), Buffer.alloc(64, 0x55)])
  const hashed = Buffer.concat([Buffer.from('f30d0d0a01000000', 'hex'), Buffer.alloc(64, 0x55)])
  for (let at = 8; at < 12; at++) {
    assert.equal(kind(file, changed(file, at), { name: 'a/b.cpython-312.pyc' }), 'time')
    assert.equal(kind(file, changed(file, at)), 'content', 'another name')
    assert.equal(kind(hashed, changed(hashed, at), { name: 'b.pyc' }), 'content')
  }
  assert.equal(kind(file, changed(file, 12), { name: 'b.pyc' }), 'content')
})

test('the times of zip, in both of its headers', () => {
  const local = Buffer.concat([Buffer.from('PK\x03\x04'), Buffer.alloc(26), Buffer.from('a.txt')])
  const central = Buffer.concat([Buffer.from('PK\x01\x02'), Buffer.alloc(42), Buffer.from('a.txt')])
  const file = Buffer.concat([Buffer.alloc(100, 0x20), local, Buffer.alloc(50, 0x20), central])
  const [first, second] = [100, 100 + local.length + 50]
  for (let i = 0; i < 4; i++) {
    assert.equal(kind(file, changed(file, first + 10 + i)), 'time')
    assert.equal(kind(file, changed(file, second + 12 + i)), 'time')
  }
  for (const at of [first + 9, first + 14, second + 11, second + 16])
    assert.equal(kind(file, changed(file, at)), 'content')
})

test('the time of a member of ar, and neither its owner nor its name', () => {
  const header = `${'a.o/'.padEnd(16)}${'1700000000'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${'4'.padEnd(10)}\`\n`
  assert.equal(header.length, 60)
  const file = Buffer.from(`!<arch>\n${header}data${header}data`)
  for (const member of [8, 72]) {
    for (const at of [16, 20, 27]) assert.equal(kind(file, changed(file, member + at)), 'time')
    for (const at of [0, 15, 28, 34, 40]) assert.equal(kind(file, changed(file, member + at)), 'content')
  }
})

test('any bytes have a kind', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1 }), fc.uint8Array(), fc.nat(), (one, other, start) => {
      const [first, second] = [Buffer.from(one), Buffer.from(other)]
      fc.pre(first.some((byte, i) => byte !== second[i]))
      assert.ok(['time', 'path', 'content'].includes(kind(first, second, { start })))
    }),
  )
})

test('another order of the same lines or words is told from other ones', () => {
  const word = fc.stringMatching(/^[a-z0-9.-]{1,8}$/)
  fc.assert(
    fc.property(
      fc.uniqueArray(word, { minLength: 2, maxLength: 40 }),
      fc.nat(),
      fc.constantFrom('\n', ' ', ', ', '": "'),
      (words, shift, separator) => {
        const turned = [
          ...words.slice(1 + (shift % (words.length - 1))),
          ...words.slice(0, 1 + (shift % (words.length - 1))),
        ]
        assert.ok(areReordered(words.join(separator), turned.join(separator)))
        assert.ok(!areReordered(words.join(separator), words.join(separator)))
        const [, ...less] = turned
        assert.ok(!areReordered(words.join(separator), [...less, `${words[0]}x`].join(separator)))
        assert.ok(!areReordered(words.join(separator), less.join(separator)))
        assert.ok(!areReordered(words.join(separator), [...less, less[0]].join(separator)))
      },
    ),
  )
})
