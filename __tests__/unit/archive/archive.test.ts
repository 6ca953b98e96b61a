import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  truncateSync,
  unlinkSync,
} from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  archiveNix2containerLayer,
  sizeOfNix2containerLayer,
} from '../../../src/image/archive/nix2container-layer.ts'
import { archiveStoreLayer, sizeOfStoreLayer } from '../../../src/image/archive/store-layer.ts'
import { UserError } from '../../../src/util/errors.ts'
import { indexTar } from '../../../src/util/tar.ts'
import { type Content, type Tree, temporaryTree } from '../../fixtures/trees/trees.ts'

const path = `/nix/store/${'a'.repeat(32)}-tree`
const owner = { mtime: 1, uid: 0, gid: 0, uname: 'root', gname: 'root' }
const writers = {
  streamLayeredImage: {
    archive: (root: string) => archiveStoreLayer({ ...owner, paths: [path] }, root),
    size: (root: string) => sizeOfStoreLayer({ ...owner, paths: [path] }, root),
    directoriesAbove: 2,
  },
  nix2container: {
    archive: (root: string) => archiveNix2containerLayer([{ path }], root),
    size: (root: string) => sizeOfNix2containerLayer([{ path }], root),
    directoriesAbove: 3,
  },
}

const bytes = (maxLength: number) =>
  fc.uint8Array({ minLength: 1, maxLength }).map(array => Buffer.from(array))
const text = (maxLength: number) =>
  fc.string({ unit: 'grapheme', minLength: 1, maxLength }).map(string => Buffer.from(string))
const ascii = fc.string({
  unit: fc.constantFrom('a', 'b', '-', '.', ' ', '\n'),
  minLength: 1,
  maxLength: 130,
})
const anyBytes = fc.oneof(
  { arbitrary: ascii.map(string => Buffer.from(string)), weight: 4 },
  text(60),
  bytes(60),
)
const name = anyBytes.filter(name => name.length <= 255 && !/[/\0]|^\.\.?$/.test(name.toString('latin1')))
const target = fc
  .array(anyBytes, { minLength: 1, maxLength: 5 })
  .map(parts => Buffer.concat(parts))
  .filter(target => !target.includes(0))
const mode = fc.constantFrom(0o444, 0o555, 0o644, 0o4755)

type Node = Content | { readonly entries: readonly (readonly [Buffer, Node])[] }
const { tree: anyTree } = fc.letrec<{ tree: Tree; node: Node }>(tie => ({
  node: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.record({ file: fc.uint8Array({ maxLength: 1500 }), mode }),
    fc.record({ link: target }),
    fc.record({
      entries: fc.uniqueArray(fc.tuple(name, tie('node')), {
        maxLength: 6,
        selector: ([name]) => name.toString('latin1'),
      }),
    }),
  ),
  tree: tie('node').map(node => new Map(flatten(Buffer.from(path), node))),
}))

function flatten(at: Buffer, node: Node): [Buffer, Content][] {
  if (!('entries' in node)) return [[at, node]]
  const below = node.entries.flatMap(([name, inner]) =>
    flatten(Buffer.concat([at, Buffer.from('/'), name]), inner),
  )
  return [[at, { directory: true }], ...below]
}

/** All that is at and below a path, as far as an archive keeps it. */
function listing(at: Buffer, name = ''): string[] {
  const stats = lstatSync(at)
  const mode = (stats.mode & 0o7777).toString(8)
  if (stats.isSymbolicLink()) return [`${name} -> ${readlinkSync(at, 'latin1')}`]
  if (stats.isFile()) return [`${name} ${mode} ${readFileSync(at, 'latin1')}`]
  const below = readdirSync(at, 'buffer').flatMap(entry =>
    listing(Buffer.concat([at, Buffer.from('/'), entry]), `${name}/${entry.toString('latin1')}`),
  )
  return [`${name} ${mode}`, ...below.sort()]
}

for (const [tool, { archive, size, directoriesAbove }] of Object.entries(writers))
  test(`any tree, archived as ${tool} does, is the same tree when tar unpacks it`, () =>
    fc.assert(
      fc.asyncProperty(anyTree, async tree => {
        await using planted = await temporaryTree(tree)
        const bytes = Buffer.concat([...archive(planted.root)])
        assert.equal(bytes.length, size(planted.root))

        const members = await indexTar(
          {
            name: tool,
            size: bytes.length,
            read: async (position, length) => bytes.subarray(position, position + length),
          },
          { name: 65536 },
        )
        assert.equal(members.length, directoriesAbove + tree.size)

        await using unpacked = await temporaryTree(new Map())
        execFileSync('tar', ['-xpf', '-', '-C', unpacked.root], {
          input: bytes,
          stdio: ['pipe', 'pipe', 'pipe'],
        })
        const [before, after] = [planted, unpacked].map(({ root }) => listing(Buffer.from(`${root}${path}`)))
        assert.deepEqual(after, before)
      }),
      { numRuns: 40 },
    ))

const mebibyte = 1024 * 1024
const large: Tree = new Map<string, Content>([
  [`${path}/a`, { file: new Uint8Array(3 * mebibyte), mode: 0o644 }],
  [`${path}/b\n`, { file: 'b', mode: 0o644 }],
])

/** What is said when something happens to a tree after the first MiB of its archive. */
async function failure(
  archive: (root: string) => Generator<Uint8Array>,
  change: (at: string) => void,
): Promise<string> {
  await using planted = await temporaryTree(large)
  const open = readdirSync('/proc/self/fd').length
  const chunks = archive(planted.root)
  assert.equal(chunks.next().value?.length, mebibyte)
  change(`${planted.root}${path}`)
  try {
    for (const _chunk of chunks);
  } catch (error) {
    assert.ok(error instanceof UserError, String(error))
    assert.match(error.advice ?? '', /./)
    assert.equal(readdirSync('/proc/self/fd').length, open, 'no file stays open')
    return error.message
  }
  throw new assert.AssertionError({ message: 'It was archived' })
}

for (const [tool, { archive, size }] of Object.entries(writers)) {
  test(`a file that changes while it is archived as ${tool} does ends the archive`, async () => {
    const changed = `${path}/a changed its size while it was read for the image.`
    assert.equal(await failure(archive, at => appendFileSync(`${at}/a`, 'x')), changed)
    assert.equal(await failure(archive, at => truncateSync(`${at}/a`, 3 * mebibyte - 1)), changed)
    assert.equal(await failure(archive, at => truncateSync(`${at}/a`, 0)), changed)
  })

  test(`a file that is gone when ${tool} would archive it ends the archive`, async () => {
    const message = await failure(archive, at => unlinkSync(`${at}/b\n`))
    assert.ok(
      message.startsWith(`${JSON.stringify(`${path}/b\n`)} cannot be read for the image: ENOENT`),
      message,
    )
  })

  test(`an archive as of ${tool} can be left before its end`, async () => {
    await using planted = await temporaryTree(large)
    const open = readdirSync('/proc/self/fd').length
    for (const _chunk of archive(planted.root)) break
    assert.equal(readdirSync('/proc/self/fd').length, open)
  })

  test(`a path that is not there, or no file, directory or link, is named: ${tool}`, async () => {
    await using planted = await temporaryTree(new Map([[`${path}/inside`, { directory: true }]]))
    const nowhere = await temporaryTree(new Map())
    await using _ = nowhere
    const gone = (error: unknown) =>
      error instanceof UserError && error.message.startsWith(`${path} cannot be read`)
    for (const ask of [() => archive(nowhere.root).next(), () => size(nowhere.root)]) assert.throws(ask, gone)

    execFileSync('mkfifo', [`${planted.root}${path}/pipe`])
    const special = {
      name: 'UserError',
      message: `${path}/pipe is a socket, pipe or device, which an image's layer cannot hold.`,
    }
    for (const ask of [() => archive(planted.root).next(), () => size(planted.root)])
      assert.throws(ask, special)
  })

  test(`what may not be read is named: ${tool}`, {
    skip: process.getuid?.() === 0 && 'root may read anything',
  }, async () => {
    await using planted = await temporaryTree(new Map([[`${path}/secret`, { file: 'x', mode: 0 }]]))
    const named = (error: unknown) =>
      error instanceof UserError &&
      error.message.includes(`${path}/secret cannot be read for the image: EACCES`)
    assert.throws(() => [...archive(planted.root)], named)
  })
}
