/** How much larger a packed layer usually is when it is unpacked. */
const usualRatio = 3

/** A layer that is in a file as a whole, under the digest that the image claims for it. */
export function fileLayer(diffId, part, blob) {
  return Object.freeze({
    key: diffId,
    diffId,
    size: part.packing === undefined ? part.length : part.length * usualRatio,
    source: Object.freeze({ kind: 'file', ...part }),
    ...(blob === undefined ? {} : { blob: Object.freeze(blob) }),
  })
}
