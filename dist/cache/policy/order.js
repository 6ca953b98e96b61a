/**
 * The order in which items are worth being kept: by rank, then by value per byte, each after what it refers to. So
 * whatever part of it is kept from the front is closed under references.
 *
 * To drop a library is to drop what refers to it. So a library is worth what it is worth together with those of its
 * referrers that are worth more per byte than itself; and a referrer comes no earlier than the library, however much
 * it is worth. A referrer of many counts at each of them by its share. It is a guess at the densest closed sets, in
 * time that grows with the number of references; to find them exactly is a matter of flows through the whole graph.
 *
 * Items that refer to each other in a circle come in no useful order; Nix makes no such paths.
 * @returns the items, and by what they were ordered: value per byte, in the same order
 */
export function keepOrder(items, weigh) {
  const sorted = referencesFirst(items)
  const numbers = new Map()
  for (const [at, item] of sorted.entries()) numbers.set(item, at)
  const weights = sorted.map(weigh)
  // Of what is of a higher rank the place is paid for in any case.
  const peers = sorted.map(({ rank, references }, at) => {
    const own = []
    for (const reference of references) {
      const number = numbers.get(reference)
      if (number !== undefined && number < at && reference.rank === rank) own.push(number)
    }
    return own
  })
  const densities = jointDensities(weights, peers)
  // References come first in `sorted`, so theirs are final when they are looked at.
  for (const [at, references] of peers.entries()) {
    let density = densities[at] ?? 0
    for (const number of references) density = Math.min(density, densities[number] ?? 0)
    densities[at] = density
  }
  const order = sorted.map((item, at) => ({ item, at, density: densities[at] ?? 0 }))
  order.sort((a, b) => b.item.rank - a.item.rank || b.density - a.density || a.at - b.at)
  return { order: order.map(({ item }) => item), densities: order.map(({ density }) => density) }
}

/** Value per byte of each with its referrers, where that is more than its own. */
function jointDensities(weights, references) {
  const joint = weights.map(({ size, value }) => ({ size, value }))
  const offers = weights.map(() => [])
  for (let at = joint.length - 1; at >= 0; at--) {
    const own = joint[at]
    if (own === undefined) continue
    for (const offer of (offers[at] ?? []).sort((a, b) => b.value * a.size - a.value * b.size)) {
      if (offer.value * own.size <= own.value * offer.size) break
      own.size += offer.size
      own.value += offer.value
    }
    const needed = references[at] ?? []
    const whole = needed.reduce((sum, number) => sum + (weights[number]?.size ?? 0), 0)
    for (const number of needed) {
      const weight = weights[number]
      // No more by the byte than the other has by itself: of no use to it.
      if (weight === undefined || own.value * weight.size <= weight.value * own.size) continue
      const share = weight.size / whole
      offers[number]?.push({ size: own.size * share, value: own.value * share })
    }
  }
  return joint.map(({ size, value }) => value / size)
}

/** Each after what it refers to, otherwise as they were. */
export function referencesFirst(items) {
  const begun = new Map()
  for (const item of items) begun.set(item, false)
  const sorted = []
  const stack = []
  const begin = item => {
    if (begun.get(item) !== false) return
    begun.set(item, true)
    stack.push({ item, at: 0 })
  }
  for (const root of items) {
    begin(root)
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const next = top.item.references[top.at++]
      if (next !== undefined) begin(next)
      else {
        sorted.push(top.item)
        stack.pop()
      }
    }
  }
  return sorted
}
