import { UserError } from '../util/errors.js'
import { indexTar } from '../util/tar.js'
import { buffered, bytesAt, slice } from './bytes.js'
import { kindOf } from './kind.js'

/** Far more than an image has: what Nix built is no attack, but it may be damaged. */
const mostMembers = 4_000_000

/** @returns undefined where the archive is damaged */
export async function readTar(source) {
  // Members are small, mostly, and gone through in their order.
  const archive = buffered(source)
  let end = 0
  try {
    const members = (await indexTar(archive, { members: mostMembers })).map(member => {
      const head = end
      end = member.offset + Math.ceil(member.size / block) * block
      return { ...member, head }
    })
    return { archive, members }
  } catch (error) {
    if (error instanceof UserError) return undefined
    throw error
  }
}

const block = 512

/**
 * What differs between the members of two archives, in the order of the first.
 * @param options.where what differences call the archive
 * @param options.compare says what differs between the contents of two members
 */
export async function* compareTars(first, second, options) {
  const { where, compare } = options
  const called = name => `${where}: ${name}`
  const [members, others] = [byName(first.members), byName(second.members)]
  for (const [name, member] of members) {
    const other = others.get(name)
    if (other === undefined) yield { where: called(name), kind: 'removed' }
    else yield* compareMembers(member, other, called(name))
  }
  for (const name of others.keys()) if (!members.has(name)) yield { where: called(name), kind: 'added' }
  const common = (names, among) => [...names].filter(name => among.has(name))
  const sequence = common(others.keys(), members)
  const moved = common(members.keys(), others).find((name, at) => name !== sequence[at])
  if (moved !== undefined) yield { where: called(moved), kind: 'order' }

  async function* compareMembers(one, other, where) {
    if (one.type !== other.type) return yield { where, kind: 'type' }
    if (one.linkName !== other.linkName) return yield { where, kind: 'link' }
    yield* compare(dataOf(first, one), dataOf(second, other), where)
    const about = await compareHeads(headOf(first, one), headOf(second, other), where)
    if (about !== undefined) yield about
  }
}

/** Of several members with one name the last is what is unpacked. */
function byName(members) {
  return new Map(members.map(member => [member.name.replace(/^\.?\/(?=.)/, ''), member]))
}

function headOf({ archive }, { head, offset }) {
  return slice(archive, head, offset - head)
}

function dataOf({ archive }, { offset, size }) {
  return slice(archive, offset, size)
}

/** Fields of a header: https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13_06 */
const fields = [
  [100, 'content'],
  [108, 'mode'],
  [124, 'owner'],
  // Size and checksum follow from the rest.
  [136, undefined],
  [148, 'time'],
  [156, undefined],
  [265, 'content'],
  [329, 'owner'],
  [block, 'content'],
]

async function compareHeads(first, second, where) {
  const one = await first.read(0, first.size)
  const other = await second.read(0, second.size)
  if (one.equals(other)) return undefined
  const extension = { one: one.subarray(0, -block), other: other.subarray(0, -block) }
  const different = at => one[at] !== other[at]
  if (!extension.one.equals(extension.other)) {
    const offset = Math.max(
      0,
      extension.one.findIndex((_, at) => different(at)),
    )
    const text = extension.one.toString('latin1')
    const kind = /\d [acm]time=[\d.]*$/.test(text.slice(0, offset + 1))
      ? 'time'
      : kindOf({ name: '', start: 1, offset: offset + 1, first: extension.one, second: extension.other })
    return { where, kind, bytes: await bytesAt(first, second, offset) }
  }
  const start = extension.one.length
  for (let at = start; at < one.length; at++) {
    const kind = different(at) ? fields.find(([end]) => at - start < end)?.[1] : undefined
    if (kind !== undefined) return { where, kind, bytes: await bytesAt(first, second, at) }
  }
  return undefined
}
