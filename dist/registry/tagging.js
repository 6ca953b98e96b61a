import { sha256 } from '../util/digest.js'
import { UserError } from '../util/errors.js'

import { isTag } from './reference.js'

/** @throws UserError when one of them cannot be a tag */
export function checkTags(name, tags) {
  const unusable = tags.filter(tag => !isTag(tag))
  if (unusable.length === 0) return
  throw new UserError(`${name}: not usable as a tag: ${unusable.join(', ')}.`, {
    advice: 'A tag has up to 128 letters, digits, `_`, `.` or `-`, and begins with neither `.` nor `-`.',
  })
}

/** A tag names something else just after it was put. */
export class TagMoved extends UserError {}

/**
 * Puts tags on a manifest that the registry has, in their order, and looks whether they are there.
 * @returns those that named something else before, or nothing
 * @throws UserError when the registry refuses
 * @throws TagMoved when another job moves a tag at the same time
 */
export async function putTags(client, options) {
  const { tags, published, bytes, mediaType, signal } = options
  const { name } = client.repository
  const digest = sha256(bytes)
  const put = []
  for (const tag of tags) {
    // Another job may have moved the tag since it was looked at.
    const there = published.tags.get(tag) === digest ? await client.headManifest(tag, signal) : undefined
    if (there?.digest === digest) continue
    await client.putManifest(tag, bytes, mediaType, signal)
    put.push(tag)
    const found = await client.headManifest(tag, signal)
    if (found?.digest === digest) continue
    throw new TagMoved(
      `${name}:${tag} is ${found?.digest ?? 'missing'} just after ${digest} was put there.`,
      { advice: 'Another job may push the same tag at the same time: let only one of them do so.' },
    )
  }
  return put
}
