import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readExport } from '../../../src/cache/export-stream.ts'

type Tree =
  | { readonly content: Uint8Array; readonly executable: boolean }
  | { readonly target: string }
  | { readonly entries: Readonly<Record<string, Tree>> }

function number(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}

function text(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([number(bytes.length), bytes, Buffer.alloc((8 - (bytes.length % 8)) % 8)])
}

function words(...values: readonly string[]): Buffer {
  return Buffer.concat(values.map(text))
}

function node(tree: Tree): Buffer {
  if ('target' in tree) return words('(', 'type', 'symlink', 'target', tree.target, ')')
  if ('content' in tree) {
    const mode = tree.executable ? words('executable', '') : Buffer.alloc(0)
    return Buffer.concat([
      words('(', 'type', 'regular'),
      mode,
      text('contents'),
      text(tree.content),
      text(')'),
    ])
  }
  const entries = Object.entries(tree.entries).map(([name, entry]) =>
    Buffer.concat([words('entry', '(', 'name', name, 'node'), node(entry), text(')')]),
  )
  return Buffer.concat([words('(', 'type', 'directory'), ...entries, text(')')])
}

function nar(tree: Tree): Buffer {
  return Buffer.concat([text('nix-archive-1'), node(tree)])
}

function exported(trees: readonly Tree[]): Buffer {
  const paths = trees.map((tree, at) =>
    Buffer.concat([
      number(1),
      nar(tree),
      number(0x4558494e),
      text(`/nix/store/path-${at}`),
      number(2),
      words('/nix/store/a', '/nix/store/b', at % 2 === 0 ? '/nix/store/x.drv' : ''),
      number(0),
    ]),
  )
  return Buffer.concat([...paths, number(0)])
}

async function* inPieces(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    yield bytes.subarray(at, at + size)
    at += size
  }
}

async function read(bytes: Buffer, sizes: readonly number[] = [65_536]): Promise<Map<string, Buffer>> {
  const nars = new Map<string, Buffer>()
  let parts: Uint8Array[] = []
  for await (const piece of readExport(inPieces(bytes, sizes))) {
    if ('nar' in piece) parts.push(piece.nar)
    else {
      nars.set(piece.path, Buffer.concat(parts))
      parts = []
    }
  }
  return nars
}

// Words of the format as names and contents: they must not be taken for what they look like.
const names = fc.oneof(
  fc.constantFrom('(', ')', 'type', 'contents', 'entry', 'node', 'nix-archive-1', 'a', 'longer than eight'),
  fc.string({ minLength: 1, maxLength: 20, unit: 'binary' }),
)
const { tree: trees } = fc.letrec<{ tree: Tree }>(tie => ({
  tree: fc.oneof(
    { depthSize: 'small' },
    fc.record({ content: fc.uint8Array({ maxLength: 40 }), executable: fc.boolean() }),
    fc.record({ target: names }),
    fc.record({ entries: fc.dictionary(names, tie('tree'), { maxKeys: 4 }) }),
  ),
}))

test('every NAR comes out as it went in, whatever the pieces in which the stream comes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(trees, { maxLength: 4 }),
      fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 }),
      async (those, sizes) => {
        const expected = new Map(those.map((tree, at) => [`/nix/store/path-${at}`, nar(tree)]))
        assert.deepEqual(await read(exported(those), sizes), expected)
      },
    ),
    { numRuns: 500 },
  )
})

test('a NAR is passed on in parts as large as they come', async () => {
  const tree = { entries: { a: { content: Buffer.alloc(1000, 'x'), executable: true }, b: { target: 'c' } } }
  const parts: number[] = []
  for await (const piece of readExport(inPieces(exported([tree]), [10_000]))) {
    if ('nar' in piece) parts.push(piece.nar.length)
  }
  assert.deepEqual(parts, [nar(tree).length])
})

test('a stream that breaks off anywhere is an error', async () => {
  const whole = exported([
    { entries: { a: { content: Buffer.from('x'), executable: true } } },
    { target: 'x' },
  ])
  for (let length = 0; length < whole.length; length++) {
    await assert.rejects(read(whole.subarray(0, length)), /broke off/, `${length}`)
  }
})

test('what is not such a stream is an error', async () => {
  const good = exported([{ target: 'x' }])
  const replaced = (from: Buffer, to: Buffer) => {
    const at = good.indexOf(from)
    return Buffer.concat([good.subarray(0, at), to, good.subarray(at + from.length)])
  }
  for (const bytes of [
    Buffer.concat([good, number(0)]),
    replaced(number(0x4558494e), number(1)),
    replaced(text('nix-archive-1'), text('nix-archive-2')),
    replaced(text('target'), text('goal')),
    replaced(text('('), number(2 ** 40)),
    Buffer.from('<html>an error page, as long as it takes</html>'),
    Buffer.alloc(64, 0xff),
  ]) {
    await assert.rejects(read(bytes), /something else than paths/)
  }
})
