import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { openRootFs } from '../../../src/image/rootfs/open.ts'
import { UserError } from '../../../src/util/errors.ts'
import { paxRecord, type TarInput, withChecksum, writeTar } from '../../harness/tar-writer.ts'
import { type LayerInput, layersOf, listing, withRootFs } from './image.ts'

const file = (name: string, data = name): TarInput => ({ name, data })
const link = (name: string, linkName: string): TarInput => ({ name, flag: '2', linkName })
const hardlink = (name: string, linkName: string): TarInput => ({ name, flag: '1', linkName })
const directory = (name: string, mode = 0o755): TarInput => ({ name, flag: '5', mode })
/** What there is, files with their contents. */
const shown = (layers: readonly LayerInput[]) =>
  withRootFs(layers, fs =>
    [...listing(fs)].map(([path, found]) => {
      const { type, target, data } = found as { type: string; target: string; data: string }
      return type === 'file' ? `${path}=${data}` : type === 'symlink' ? `${path}->${target}` : `${path}/`
    }),
  )

/** Sees layers refused, with nothing left behind. */
async function refused(inputs: readonly LayerInput[], message: RegExp, files?: number) {
  using image = layersOf(inputs)
  const [before, descriptors] = [readdirSync(image.folder), readdirSync('/proc/self/fd').length]
  const opened = openRootFs(image, { scratch: image.folder, ...(files && { limits: { files } }) })
  await assert.rejects(opened, error => {
    assert.ok(error instanceof UserError, String(error))
    assert.match(error.message, message)
    assert.ok(error.advice)
    return true
  })
  assert.deepEqual(readdirSync(image.folder), before)
  assert.equal(readdirSync('/proc/self/fd').length, descriptors)
}

test('upper layers win, and delete what is below them and nothing beside them', async () => {
  const lower = [file('a/x'), file('a/y'), file('b/x'), file('c'), file('d/deep/er/x'), file('e')]
  assert.deepEqual(
    await shown([
      lower,
      [
        ...[file('a/new'), file('a/.wh.x'), file('a/.wh.new')],
        ...[file('b/new'), file('b/.wh..wh..opq'), file('b/newer')],
        ...[file('c/is/a/directory'), file('d'), file('.wh.e'), file('.wh.nothing')],
      ],
    ]),
    ['/a/', '/a/new=a/new', '/a/y=a/y', '/b/', '/b/new=b/new', '/b/newer=b/newer'].concat([
      '/c/',
      '/c/is/',
      '/c/is/a/',
      '/c/is/a/directory=c/is/a/directory',
      '/d=d',
    ]),
  )
  // Of a directory that is deleted and made again, nothing is as it was.
  await withRootFs(
    [
      [directory('d', 0o700), file('d/old')],
      [file('d/new'), file('.wh.d')],
    ],
    fs => {
      assert.deepEqual(fs.list('/d'), ['new'])
      assert.equal(fs.find('/d')?.entry.mode, 0o755)
    },
  )
  // Without a whiteout it is the lower one's.
  await withRootFs([[directory('d', 0o700), file('d/old')], [file('d/new')]], fs => {
    assert.deepEqual(fs.list('/d'), ['new', 'old'])
    assert.deepEqual([fs.find('/d')?.entry.mode, fs.find('/d')?.entry.layer], [0o700, 0])
    assert.equal(fs.find('/d/new')?.entry.layer, 1)
  })
})

test('names may be written in any way, and none leads out of the image', async () => {
  assert.deepEqual(
    await shown([
      [directory('./', 0o700), file('./a'), file('/b'), directory('c//'), file('c/./d'), file('x/../e')],
      [file('../outside'), file('a/../../outside'), directory('..'), file('/../inside'), file('.'), file('')],
    ]),
    ['/a=./a', '/b=/b', '/c/', '/c/d=c/./d', '/e=x/../e', '/inside=/../inside'],
  )
  await withRootFs([[directory('./', 0o700)]], fs => {
    for (const path of ['/', '', '/..', '/../..']) assert.equal(fs.find(path)?.entry.mode, 0o700)
  })
})

test('of a file that a layer has twice the last one counts, of a directory what both hold', async () => {
  assert.deepEqual(
    await shown([[file('a', '1'), file('a', '2'), file('d/x'), directory('d'), file('e/x'), link('e', 'd')]]),
    ['/a=2', '/d/', '/d/x=d/x', '/e->d'],
  )
})

test('links are followed within the image, as in a chroot', async () => {
  const tree = [
    ...[file('usr/bin/sh'), link('bin', 'usr/bin'), link('usr/out', '../../../usr/bin/sh')],
    ...[link('up', 'bin/../sh'), link('file', 'usr/bin/sh/'), link('loop', 'pool'), link('pool', '/loop')],
    ...[link('self', 'self'), link('nowhere', '/gone'), link('slash', '/'), link('empty', '')],
    ...Array.from({ length: 41 }, (_, i) => link(`chain${i}`, i === 0 ? 'usr/bin/sh' : `chain${i - 1}`)),
  ]
  await withRootFs([tree], fs => {
    const found = (path: string) => fs.find(path)?.path
    assert.equal(found('/bin/sh'), '/usr/bin/sh')
    assert.equal(found('bin//./sh'), '/usr/bin/sh')
    assert.equal(found('/usr/out'), '/usr/bin/sh')
    assert.equal(found('/slash/slash/bin'), '/usr/bin')
    // From where the link leads, not from where it is.
    assert.equal(found('/bin/..'), '/usr')
    assert.equal(found('/chain39'), '/usr/bin/sh')
    for (const path of ['/up', '/loop', '/self', '/nowhere', '/empty', '/chain40', '/loop/x', '/none/../bin'])
      assert.equal(found(path), undefined, path)
    // What a file is can have nothing behind it.
    for (const path of ['/file', '/bin/sh/', '/bin/sh/.', '/bin/sh/..', '/bin/sh/x'])
      assert.equal(found(path), undefined, path)
    assert.deepEqual([fs.look('/bin')?.entry.target, fs.look('/bin/')?.path], ['usr/bin', '/usr/bin'])
    assert.deepEqual(fs.list('/bin'), ['sh'])
    for (const path of ['/bin/sh', '/loop', '/none']) assert.deepEqual(fs.list(path), [])
  })
})

test('what a layer has below a symlink goes where that leads', async () => {
  assert.deepEqual(
    await shown([
      [link('bin', 'usr/bin'), link('run', '/var/run'), link('loop', 'loop')],
      [file('bin/sh'), file('run/pid'), file('loop/lost')],
      [directory('run'), file('run/new')],
    ]),
    ['/bin->usr/bin', '/loop->loop', '/run/', '/run/new=run/new', '/usr/', '/usr/bin/'].concat([
      '/usr/bin/sh=bin/sh',
      '/var/',
      '/var/run/',
      '/var/run/pid=run/pid',
    ]),
  )
})

test('where a link leads is asked anew when a layer has taken it away', async () => {
  const lower = [link('d/l', '.'), file('d/old')]
  const there = ['/d/', '/d/l/', '/d/l/new=d/l/new', '/d/old=d/old', '/d/x=d/l/x']
  assert.deepEqual(await shown([[...lower, file('d/l/x'), directory('d/l/l'), file('d/l/new')]]), there)
  assert.deepEqual(await shown([lower, [file('d/l/x'), file('d/l/.wh.l'), file('d/l/new')]]), there)
  assert.deepEqual(
    await shown([lower, [file('d/l/x'), file('d/l/.wh..wh..opq'), file('d/l/new')]]),
    there.filter(line => !line.startsWith('/d/old')),
  )
})

test('hard links are the file, with its mode and owner', async () => {
  const layers = [
    [{ ...file('a', 'data'), mode: 0o4755, uid: 3, gid: 4 }, hardlink('b', './a'), hardlink('d/c', '/b')],
    [file('a', 'other'), hardlink('e', 'b'), link('l', 'b'), hardlink('m', 'l'), file('.wh.b')],
  ]
  await withRootFs(layers, fs => {
    for (const path of ['/d/c', '/e']) {
      const found = fs.find(path)
      assert.ok(found)
      const { mode, uid, gid, size } = found.entry
      assert.deepEqual([mode, uid, gid, size], [0o4755, 3, 4, 4])
      assert.equal(fs.read(found).toString(), 'data')
    }
    assert.equal(fs.look('/m')?.entry.target, 'b')
    assert.equal(fs.find('/b'), undefined)
  })
  await refused(
    [[hardlink('a', 'nothing')]],
    /its layer layer 0 has a hard link a to nothing, which is no file/,
  )
  await refused([[directory('d'), hardlink('a', 'd')]], /hard link a to d/)
  await refused([[hardlink('a', '../outside')]], /hard link a to \.\.\/outside/)
})

test('what AUFS kept for itself is no part of the image', async () => {
  const plnk = '.wh..wh.plnk'
  assert.deepEqual(
    await shown([
      [directory('.wh..wh.aufs'), directory(plnk), file(`${plnk}/7.1`, 'data'), hardlink('a', `${plnk}/7.1`)],
    ]),
    ['/a=data'],
  )
})

test('modes and owners are read in each form that headers have for them', async () => {
  const large = writeTar([file('b')])
  large.writeUInt32BE(0x80000000, 108)
  large.writeUInt32BE(3_000_000, 112)
  withChecksum(large.subarray(0, 512))
  const pax = (name: string, records: string) => [{ name: 'x', flag: 'x', data: records }, file(name)]
  const layers = [
    [{ ...file('a'), mode: 0o107755, uid: 0o7777777, gid: 12 }],
    large,
    pax('c', paxRecord('uid', '4000000000') + paxRecord('gid', '5')),
    [{ name: 'fifo', flag: '6', mode: 0o600 }],
  ]
  await withRootFs(layers, fs => {
    const owner = (path: string) => {
      const { mode, uid, gid } = fs.find(path)?.entry ?? {}
      return [mode?.toString(8), uid, gid]
    }
    assert.deepEqual(owner('/a'), ['7755', 0o7777777, 12])
    assert.deepEqual(owner('/b'), ['644', 3_000_000, 0])
    assert.deepEqual(owner('/c'), ['644', 4_000_000_000, 5])
    assert.equal(fs.find('/fifo')?.entry.type, 'other')
  })
  await refused([pax('c', paxRecord('uid', '-1'))], /unreadable uid/)
})

test('names that are no UTF-8 stay apart', async () => {
  const layer = writeTar([file('n1/\u00e9'), file('n2'), file('n3')])
  for (const [at, name] of [
    [1024, 0xfe],
    [2048, 0xff],
  ] as const) {
    layer.writeUInt8(name, at + 1)
    withChecksum(layer.subarray(at, at + 512))
  }
  await withRootFs([layer], fs => {
    assert.deepEqual(fs.list('/'), ['n1', 'n\udcfe', 'n\udcff'])
    assert.equal(fs.find('/n\udcff')?.entry.type, 'file')
    assert.deepEqual(fs.list('/n1'), ['é'])
  })
})

test('reads as much of a file as is asked for', async () => {
  const data = Buffer.from(Array.from({ length: 3000 }, (_, i) => i % 251))
  await withRootFs(
    [[{ name: 'before', data: 'x' }, { name: 'a', data }, file('empty', ''), directory('d')]],
    fs => {
      const found = fs.find('/a')
      const [empty, folder] = [fs.find('/empty'), fs.find('/d')]
      assert.ok(found && empty && folder)
      assert.deepEqual(fs.read(found), data)
      assert.deepEqual(fs.read(found, 1000, 10), data.subarray(1000, 1010))
      assert.deepEqual(fs.read(found, 2990, 100), data.subarray(2990))
      assert.equal(fs.read(found, 5000).length, 0)
      assert.equal(fs.read(empty, 0, 100).length, 0)
      assert.throws(() => fs.read(folder), /no file/)
    },
  )
})

test('archives may end without an end mark, and be empty', async () => {
  const whole = writeTar([file('a')])
  assert.deepEqual(await shown([whole.subarray(0, whole.length - 1024)]), ['/a=a'])
  assert.deepEqual(await shown([Buffer.alloc(0), Buffer.alloc(1024), whole]), ['/a=a'])
})

test('layers that come packed are unpacked into a file that nobody sees', async () => {
  const layer = writeTar([file('a'), { name: 'b', data: 'x'.repeat(100_000) }])
  using image = layersOf([gzipSync(layer), zstdCompressSync(layer)])
  const layers = image.layers.map((one, i) => {
    assert.ok(one.source.kind === 'file')
    return { ...one, source: { ...one.source, packing: i === 0 ? ('gzip' as const) : ('zstd' as const) } }
  })
  const [before, descriptors] = [readdirSync(image.folder), readdirSync('/proc/self/fd').length]
  const fs = await openRootFs({ layers }, { scratch: image.folder })
  assert.deepEqual(readdirSync(image.folder), before)
  const found = fs.find('/b')
  assert.ok(found)
  assert.equal(found.entry.layer, 1)
  assert.equal(fs.read(found).toString(), 'x'.repeat(100_000))
  await fs.close()
  assert.equal(readdirSync('/proc/self/fd').length, descriptors)

  using broken = layersOf([gzipSync(layer).subarray(0, 50)])
  const [cut] = broken.layers
  assert.ok(cut?.source.kind === 'file')
  await refused([{ ...cut.source, packing: 'gzip' }], /cannot be unpacked/)
})

test('a damaged layer is refused, whatever other layers are open already', async () => {
  const good = writeTar([file('a', 'x'.repeat(5000))])
  const wrong = Buffer.from(good)
  wrong.write('z', 10)
  await refused(
    [good, good.subarray(0, 3000)],
    /Damaged archive layer 1: a member of 5000 bytes is cut short/,
  )
  await refused([good, wrong], /Damaged archive layer 1: a header with a wrong checksum/)
  await refused([good, gzipSync(good)], /Damaged archive layer 1/)
  await refused([[{ name: 'x', flag: 'x', data: paxRecord('GNU.sparse.major', '1') }, file('a')]], /sparse/)
  // A file that is shorter than the image says.
  using image = layersOf([good.subarray(0, 3000)])
  const [short] = image.layers
  assert.ok(short?.source.kind === 'file')
  await refused([{ ...short.source, length: good.length }], /became shorter while it was read/)
  await refused(
    [good, { ...short.source, file: `${image.folder}/gone` }],
    /gone cannot be read for the image/,
  )
})

test('no more files are held than the limit says', async () => {
  await refused([[file('a'), file('b'), file('c')]], /more than 2 files/, 2)
  await refused(
    [[file('a'), file('b')], [file('c')]],
    /The image has more than 2 files: too many to inspect/,
    2,
  )
  await refused([[file('a/b/c')]], /more than 2 files/, 2)
  assert.equal(await withRootFs([[file('a/b'), file('a/c')]], fs => listing(fs).size, { files: 3 }), 3)
})

test('trees that are deeper than any stack are merged, hidden and listed', async () => {
  const deep = 'd/'.repeat(1900)
  const steps = Array.from({ length: 12 }, (_, i) => [
    directory(i === 0 ? deep : `l${i - 1}/${deep}`),
    link(`l${i}`, i === 0 ? deep : `l${i - 1}/${deep}`),
  ]).flat()
  const layers = [steps, [file('l11/here'), file('d/.wh..wh..opq')]]
  await withRootFs(layers, fs => {
    assert.equal([...fs.named(name => name === 'd')].length, 12 * 1900)
    assert.equal(fs.find('/l11/here')?.entry.size, 8)
  })
})

test('whatever bytes of a layer are changed, the end is a view or a UserError', async () => {
  const bytes = writeTar([
    ...[directory('d'), { ...file('d/f'), mode: 0o755 }, link('s', 'd'), file('s/x'), hardlink('h', 'd/f')],
    ...[file('.wh.d'), file('d/.wh..wh..opq'), file('l'.repeat(120))],
  ])
  const change = fc.record({ at: fc.nat(bytes.length - 1), byte: fc.nat(255), checksum: fc.boolean() })
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 3 }), fc.nat(bytes.length), async (changes, length) => {
      const hostile = Buffer.from(bytes)
      for (const { at, byte, checksum } of changes) {
        hostile[at] = byte
        if (checksum) withChecksum(hostile.subarray(at - (at % 512), at - (at % 512) + 512))
      }
      try {
        await withRootFs([bytes, hostile.subarray(0, length)], listing)
      } catch (error) {
        if (!(error instanceof UserError)) throw error
      }
    }),
    { numRuns: 300 },
  )
})
