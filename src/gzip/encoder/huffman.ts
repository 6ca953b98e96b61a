// Huffman codes of a bounded length: https://www.rfc-editor.org/rfc/rfc1951#section-3.2.2

/** Most symbols that an alphabet has. */
const mostSymbols: u32 = 288
const longest: u32 = 15

const sorted = memory.data(mostSymbols * 4)
const weights = memory.data(mostSymbols * 2 * 4)
const parents = memory.data(mostSymbols * 2 * 2)
const depths = memory.data(mostSymbols * 2)
const counts = memory.data((longest + 1) * 4)

/**
 * The lengths of a code for symbols of these frequencies. The code is complete: at least two symbols get one, since
 * there are readers that refuse a code of one symbol.
 * @param frequencies u32 each, below 2^23
 * @param lengths u8 each, written: 0 for what has no code
 * @param limit the longest that a code may get, in bits
 */
export function makeLengths(frequencies: usize, symbols: u32, limit: u32, lengths: usize): void {
  memory.fill(lengths, 0, symbols)
  let used: u32 = 0
  for (let symbol: u32 = 0; symbol < symbols; symbol++) {
    const frequency = load<u32>(frequencies + (symbol << 2))
    if (frequency > 0) store<u32>(sorted + (used++ << 2), (frequency << 9) | symbol)
  }
  // Others take the place of what is missing.
  for (let symbol: u32 = 0; used < 2; symbol++) {
    if (load<u32>(frequencies + (symbol << 2)) === 0) store<u32>(sorted + (used++ << 2), (1 << 9) | symbol)
  }
  sort(used)
  measureDepths(used)
  countLengths(used, limit)

  // The rarest get the longest.
  let next: u32 = 0
  for (let length: u32 = limit; length > 0; length--) {
    for (let count = load<u32>(counts + (length << 2)); count > 0; count--) {
      store<u8>(lengths + (load<u32>(sorted + (next++ << 2)) & 0x1ff), length)
    }
  }
}

/** The rarest first: a shell sort, since there are at most 288. */
function sort(used: u32): void {
  for (let gap: u32 = 40; gap > 0; gap /= 3) {
    for (let from: u32 = gap; from < used; from++) {
      const value = load<u32>(sorted + (from << 2))
      let to = from
      while (to >= gap) {
        const other = load<u32>(sorted + ((to - gap) << 2))
        if (other <= value) break
        store<u32>(sorted + (to << 2), other)
        to -= gap
      }
      store<u32>(sorted + (to << 2), value)
    }
  }
}

/** Huffman's algorithm: joins the two rarest trees until one is left. Those that are joined get rarer never. */
function measureDepths(used: u32): void {
  for (let leaf: u32 = 0; leaf < used; leaf++) {
    store<u32>(weights + (leaf << 2), load<u32>(sorted + (leaf << 2)) >> 9)
  }
  const root: u32 = 2 * used - 2
  let leaf: u32 = 0
  let tree: u32 = used
  for (let made: u32 = used; made <= root; made++) {
    let weight: u32 = 0
    for (let child = 0; child < 2; child++) {
      const takeLeaf =
        leaf < used && (tree >= made || load<u32>(weights + (leaf << 2)) <= load<u32>(weights + (tree << 2)))
      const taken = takeLeaf ? leaf++ : tree++
      weight += load<u32>(weights + (taken << 2))
      store<u16>(parents + (taken << 1), made)
    }
    store<u32>(weights + (made << 2), weight)
  }
  store<u8>(depths + root, 0)
  for (let node: i32 = root - 1; node >= 0; node--) {
    const depth = load<u8>(depths + load<u16>(parents + (node << 1)))
    store<u8>(depths + node, depth < 254 ? depth + 1 : depth)
  }
}

/** How many codes of each length there are. What is too deep is brought up, and others go down to make room. */
function countLengths(used: u32, limit: u32): void {
  memory.fill(counts, 0, (longest + 1) * 4)
  // In units of the longest code; all codes of a complete code are one `full`.
  const full: u32 = 1 << limit
  let taken: u32 = 0
  for (let leaf: u32 = 0; leaf < used; leaf++) {
    const depth = min<u32>(load<u8>(depths + leaf), limit)
    const at = counts + (depth << 2)
    store<u32>(at, load<u32>(at) + 1)
    taken += (<u32>1) << (limit - depth)
  }
  for (; taken > full; taken--) {
    let length = limit - 1
    while (load<u32>(counts + (length << 2)) === 0) length--
    // One of this length becomes a tree of two, with one of the longest as the other.
    const at = counts + (length << 2)
    store<u32>(at, load<u32>(at) - 1)
    store<u32>(at + 4, load<u32>(at + 4) + 2)
    const last = counts + (limit << 2)
    store<u32>(last, load<u32>(last) - 1)
  }
}

const nextCodes = memory.data((longest + 1) * 4)

/**
 * The canonical code of these lengths.
 * @param codes u32 each, written: the code, first bit lowest, and its length in the highest eight bits
 */
export function makeCodes(lengths: usize, symbols: u32, codes: usize): void {
  memory.fill(counts, 0, (longest + 1) * 4)
  for (let symbol: u32 = 0; symbol < symbols; symbol++) {
    const at = counts + ((<usize>load<u8>(lengths + symbol)) << 2)
    store<u32>(at, load<u32>(at) + 1)
  }
  store<u32>(counts, 0)
  let code: u32 = 0
  for (let length: u32 = 1; length <= longest; length++) {
    code = (code + load<u32>(counts + ((length - 1) << 2))) << 1
    store<u32>(nextCodes + (length << 2), code)
  }
  for (let symbol: u32 = 0; symbol < symbols; symbol++) {
    const length = <u32>load<u8>(lengths + symbol)
    if (length === 0) continue
    const at = nextCodes + (length << 2)
    const value = load<u32>(at)
    store<u32>(at, value + 1)
    store<u32>(codes + (symbol << 2), (reversed(value) >>> (32 - length)) | (length << 24))
  }
}

/** The bits of a number below 2^16 in reverse, from the highest of 32. */
function reversed(value: u32): u32 {
  value = ((value & 0x5555) << 1) | ((value >>> 1) & 0x5555)
  value = ((value & 0x3333) << 2) | ((value >>> 2) & 0x3333)
  value = ((value & 0x0f0f) << 4) | ((value >>> 4) & 0x0f0f)
  value = ((value & 0x00ff) << 8) | (value >>> 8)
  return value << 16
}
