import { isWithin } from '../mounts.js'
import { absolute, follow, mayRead } from './access.js'
import { sameMachine } from './architecture.js'
import { mayLook } from './effort.js'
import { ElfError, isElf, parseElf } from './elf.js'
import { readAt } from './file.js'
import { loaderOf } from './loader-kind.js'
import { expanded, isSecure, libraryPaths } from './loader-paths.js'

/** Libraries of the host's driver, which NVIDIA's runtime mounts: `nvc_info.c` of libnvidia-container names them. */
const ofDriver =
  /^lib(?:cuda|cudadebugger|nvcuvid|nvoptix|vdpau_nvidia|nvidia-[\w-]+|(?:GLX|EGL|GLESv1_CM|GLESv2)_nvidia)\.so(?:\.|$)/
/** Where Nix's programs look for the host's driver. */
const driver = '/run/opengl-driver'
/** For one program. Large ones of Nix look at some thousand places. */
const mostLooks = 50_000

/**
 * Which libraries the loader of a program will not find, searching where glibc's or musl's would.
 * https://man7.org/linux/man-pages/man8/ld.so.8.html, https://git.musl-libc.org/cgit/musl/tree/ldso/dynlink.c
 * @returns none for a loader of another kind, nor for a program that wants to be looked at for ever
 */
export function lackingLibraries(loading) {
  const loader = loaderOf(loading.fs, loading.interpreter)
  if (loader === undefined) return []
  const { program, elf } = loading
  const found = []
  const names = new Set([loading.interpreter.name, loader.soname ?? '', loading.interpreter.found.path])
  const files = new Set([loading.interpreter.found.path])
  const main = { path: program.path, dynamic: elf.dynamic, loader: undefined }
  const queue = [main]

  const looks = { left: mostLooks }
  const take = (name, by, isPreloaded = false) => {
    if (looks.left <= 0 || names.has(name) || (loader.kind === 'musl' && isMuslItself(name))) return
    names.add(name)
    const library = search(name, by, loader, loading, looks)
    if (library === 'mounted') return
    if (library === undefined || 'damaged' in library) {
      if (isPreloaded && loader.kind === 'musl') return
      const neededBy = isPreloaded ? undefined : by.path
      found.push({ name, neededBy, damaged: library?.damaged, loader: loader.kind })
      return
    }
    if (files.has(library.found.path)) return
    files.add(library.found.path)
    const { dynamic } = library.elf
    if (dynamic?.soname !== undefined) names.add(dynamic.soname)
    queue.push({ path: library.path, dynamic, loader: by })
  }

  for (const name of preloaded(loading)) take(name, main, true)
  // More come in as it goes on.
  for (const by of queue) for (const name of by.dynamic?.needed ?? []) take(name, by)
  return looks.left > 0 ? found : []
}

/** Names that musl's loader stands for itself, as its `load_library` has them. */
function isMuslItself(name) {
  return /^lib(c|pthread|rt|m|dl|util|xnet)\./.test(name)
}

function preloaded(loading) {
  if (isSecure(loading)) return []
  return (loading.env.get('LD_PRELOAD') ?? '').split(/[ :]/).filter(Boolean)
}

/**
 * The first file of that name that the loader takes; what is wrong with it, where it takes a wrong one; `mounted` where
 * the image has none, and what is mounted into the container may.
 */
function search(name, by, loader, loading, looks) {
  const { machine } = loading.elf
  let isMounted = ofDriver.test(name)
  const candidates = name.includes('/')
    ? expanded(name, by.path, machine)
    : libraryPaths(name, by, loader, loading)
  for (const path of candidates) {
    if (!mayLook(loading.fs)) looks.left = 0
    if (looks.left-- <= 0) return undefined
    const library = open(absolute(path, loading.directory), loader, loading)
    if (library === 'mounted') isMounted = true
    else if (library !== undefined) return library
  }
  return isMounted ? 'mounted' : undefined
}

function open(path, loader, { fs, user, elf: program, isMounted }) {
  const followed = follow(fs, path, user)
  if (followed.is === 'mounted') return 'mounted'
  if (followed.is === 'failed') {
    const isMountable = [followed.at, path].some(place => isMounted(place) || isWithin(place, driver))
    return isMountable ? 'mounted' : undefined
  }
  if (followed.found.entry.type !== 'file') return undefined
  const { found } = followed
  if (!mayRead(found.entry, user)) return undefined
  const elf = libraryAt(fs, found)
  if ('damaged' in elf) return { damaged: `${path}${elf.damaged}` }
  const same = sameMachine(elf.machine, program.machine)
  if (same) return { path, found, elf }
  // glibc goes on; musl does not look, and what comes of that nobody knows.
  return loader.kind === 'glibc' ? undefined : { path, found, elf: { ...elf, dynamic: undefined } }
}

/** Most programs of an image have the same ones. */
const libraries = new WeakMap()

function libraryAt(fs, found) {
  const known = libraries.get(fs) ?? new Map()
  libraries.set(fs, known)
  const elf = known.get(found.path) ?? readLibrary(fs, found)
  known.set(found.path, elf)
  return elf
}

function readLibrary(fs, found) {
  const read = readAt(fs, found)
  if (!isElf(read(0, 4))) return { damaged: ' is no ELF file' }
  try {
    return parseElf(read)
  } catch (error) {
    if (error instanceof ElfError) return { damaged: `: ${error.message}` }
    throw error
  }
}
