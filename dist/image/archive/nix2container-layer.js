import { posix } from 'node:path'
import { UserError } from '../../util/errors.js'
import { rawOf } from '../../util/raw-path.js'
import { sizeOfParts, writeParts } from './blocks.js'
import { fresh } from './buffers.js'
import { goHeader } from './go.js'
import { goRegexp } from './go-regexp.js'
import { memberTypes } from './header.js'
import { quoted, walk } from './tree.js'

/**
 * A nix2container layer as an uncompressed tar, byte for byte as nix2container since November 2024 writes it:
 * https://github.com/nlewo/nix2container/blob/master/nix/tar.go
 * @param root where `/` is
 * @param buffers memory for the chunks
 * @returns chunks of at most 1 MiB
 * @throws UserError when something cannot be read or changes meanwhile, when two paths want to be different files at
 *   the same place, and for a regular expression that is not supported
 */
export function archiveNix2containerLayer(paths, root = '', buffers = fresh) {
  return writeParts(partsOf(paths, rawOf(root)), rawOf(root), 1, buffers)
}

/** Bytes that `archiveNix2containerLayer` gives, without reading any file. */
export function sizeOfNix2containerLayer(paths, root = '') {
  return sizeOfParts(partsOf(paths, rawOf(root)), 1)
}

const owner = { uid: 0, gid: 0, uname: 'root', gname: 'root', mtime: 1 }

function* partsOf(paths, root) {
  const places = placesOf(paths, root)
  for (const place of [...places.keys()].sort()) {
    const source = places.get(place)
    const name = place.replaceAll('\0', '/') || '/'
    if (source === undefined) {
      const header = goHeader({ ...owner, type: '5', name, target: '', mode: 0o755, size: 0 })
      yield { header, size: 0, path: '' }
    } else {
      const { path, size } = source.entry
      yield { header: goHeader(memberOf(name, source)), size, path }
    }
  }
}

/**
 * What is where. The keys are places in the image with NUL for each slash, which sorts them as a walk would go; a
 * directory that only leads to others has no source.
 */
function placesOf(paths, root) {
  const places = new Map()
  for (const path of paths) {
    for (const [name, source] of sourcesOf(path, root)) {
      const place = placeOf(name)
      for (let end = place.lastIndexOf('\0'); end >= 0; end = place.lastIndexOf('\0', end - 1)) {
        const parent = place.slice(0, end)
        if (places.has(parent)) break
        places.set(parent, undefined)
      }
      const before = places.get(place)
      if (before && !areSame(before, source)) throw twice(name, before.entry.path, source.entry.path)
      places.set(place, source)
    }
  }
  return places
}

/** All that a path brings, by what it is called in the image. */
function* sourcesOf({ path, options }, root) {
  const rewrite = options?.rewrite.regex ? goRegexp(options.rewrite.regex) : undefined
  const rules = (options?.perms ?? []).map(rule => ({ ...rule, matches: goRegexp(rule.regex) }))
  for (const entry of walk(rawOf(path), root, names => names.sort())) {
    const name = rewrite?.replaceAll(entry.path, options?.rewrite.repl ?? '') ?? entry.path
    if (name !== '') yield [name, { entry, options, rules }]
  }
}

/** The members of a layer that one of its paths brings, each with the raw path of the file that it is made from. */
export function* membersOfPath(path) {
  for (const [name, source] of sourcesOf(path, ''))
    yield { member: memberOf(name, source), file: source.entry.path }
}

function placeOf(name) {
  return posix.normalize(name).replace(/\/$/, '').replaceAll('/', '\0')
}

/** As nix2container looks at it: it does not compare contents, and permissions only where there was a word of them. */
function areSame(before, after) {
  const [a, b] = [before.entry, after.entry]
  const permsOf = ({ options }) => JSON.stringify(options?.perms ?? [])
  if (before.options && permsOf(before) !== permsOf(after)) return false
  return a.kind === b.kind && a.mode === b.mode && a.size === b.size
}

function twice(name, first, second) {
  return new UserError(
    `${quoted(first)} and ${quoted(second)} would both be ${quoted(name)} in the image, and they differ.`,
    { advice: 'Change `copyToRoot`, `perms` or the rewriting so that only one of them goes there.' },
  )
}

function memberOf(name, { entry, rules }) {
  const { path, kind, size, target } = entry
  const member = { ...owner, type: memberTypes[kind], name, target, size }
  let { mode } = entry
  for (const rule of rules.filter(({ matches }) => matches.test(path))) {
    member.uid = rule.uid
    member.gid = rule.gid
    if (rule.uname !== '') member.uname = rawOf(rule.uname)
    if (rule.gname !== '') member.gname = rawOf(rule.gname)
    if (rule.mode !== '') mode = parseMode(rule.mode)
  }
  return { ...member, mode }
}

function parseMode(octal) {
  if (/^[0-7]{1,7}$/.test(octal)) return Number.parseInt(octal, 8)
  throw new UserError(`The mode ${JSON.stringify(octal)} of a layer's perms is not an octal number.`, {
    advice: 'Write it like `0755`.',
  })
}
