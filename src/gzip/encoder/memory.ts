// What is where in the linear memory. Addresses are constants, so that WebAssembly's loads and stores hold them.

/** Bytes that a chunk may refer back to: the largest distance of DEFLATE. */
export const windowSize: u32 = 1 << 15
/** The largest chunk. */
export const chunkSize: u32 = 1 << 20

/** What occurred where, see matches.ts: in each bucket four positions and four tags of 16 bits, the latest lowest. */
export const mostBucketBits: u32 = 14
export const buckets: usize = 0x10000
export const bucketsSize: usize = 16 << mostBucketBits

/** Sequences of the block that is gathered: u64, see sequences.ts. */
export const sequences: usize = buckets + bucketsSize
export const mostSequences: u32 = 1 << 16
/** Room for the sequences of one run more than a block may have. */
const sequencesSize: usize = (<usize>mostSequences + (1 << 14)) << 3

/** What comes before the chunk, at most `windowSize`, and then the chunk. */
export const input: usize = sequences + sequencesSize
/** Comparing reads eight bytes at once. */
const slack: usize = 16

export const output: usize = (input + windowSize + chunkSize + slack + 0xffff) & ~0xffff
/** Where not even storing helps: five bytes for each stored block, of which the shortest has a run. */
export const outputSize: usize = chunkSize + (chunkSize >> 6) + 1024
