import fc from 'fast-check'

/** Bytes that are all different from each other, as far as a small generator goes: the same for the same seed. */
export function noise(size: number, seed: number): Buffer {
  const bytes = Buffer.alloc(size)
  let state = seed | 1
  for (let at = 0; at < size; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    bytes[at] = state >>> 24
  }
  return bytes
}

type Piece =
  | { readonly kind: 'noise'; readonly size: number; readonly seed: number }
  | { readonly kind: 'same'; readonly size: number; readonly byte: number }
  /** Bytes of which some are much rarer than others. */
  | { readonly kind: 'skewed'; readonly size: number; readonly seed: number; readonly symbols: number }
  | { readonly kind: 'text'; readonly text: string }
  /** What was `back` bytes before, once more, with every `change`th byte another. */
  | { readonly kind: 'again'; readonly size: number; readonly back: number; readonly change: number }

/** Sizes and distances next to those at which something is different. */
const edges = [1, 2, 3, 4, 5, 257, 258, 259, 4096, 16_384, 32_767, 32_768, 32_769, 65_535, 65_536]
const size = fc.oneof(
  fc.integer({ min: 0, max: 600 }),
  fc.constantFrom(...edges),
  fc.integer({ min: 0, max: 70_000 }),
)

const piece: fc.Arbitrary<Piece> = fc.oneof(
  fc.record({ kind: fc.constant('noise' as const), size, seed: fc.nat() }),
  fc.record({ kind: fc.constant('same' as const), size, byte: fc.nat({ max: 255 }) }),
  fc.record({
    kind: fc.constant('skewed' as const),
    size,
    seed: fc.nat(),
    symbols: fc.integer({ min: 1, max: 30 }),
  }),
  fc.record({ kind: fc.constant('text' as const), text: fc.lorem({ maxCount: 200 }) }),
  fc.record({
    kind: fc.constant('again' as const),
    size,
    back: size,
    change: fc.oneof(fc.constant(0), fc.integer({ min: 3, max: 300 })),
  }),
)

/** Inputs made of pieces of all kinds, some of them copies of what came before. */
export const inputs: fc.Arbitrary<Buffer> = fc
  .array(piece, { maxLength: 12 })
  .map(pieces =>
    pieces.reduce((before, one) => Buffer.concat([before, bytesOf(one, before)]), Buffer.alloc(0)),
  )

function bytesOf(one: Piece, before: Buffer): Buffer {
  if (one.kind === 'noise') return noise(one.size, one.seed)
  if (one.kind === 'same') return Buffer.alloc(one.size, one.byte)
  if (one.kind === 'text') return Buffer.from(one.text)
  if (one.kind === 'skewed') {
    // Each byte about half as often as the one before.
    const bytes = noise(one.size, one.seed)
    for (const [at, byte] of bytes.entries())
      bytes[at] = (Math.clz32((byte << 8) | (at & 0xff)) - 16) % one.symbols
    return bytes
  }
  const bytes = Buffer.alloc(one.size)
  const from = Math.max(0, before.length - one.back)
  const step = Math.max(1, before.length - from)
  for (let at = 0; at < bytes.length; at++) {
    const earlier = before[from + (at % step)] ?? 0
    bytes[at] = one.change > 0 && at % one.change === 0 ? earlier + 1 : earlier
  }
  return bytes
}
