import type { Found, RootFs } from '../../image/rootfs/model.ts'
import { absolute, dirname, follow, isWithin, mayRead } from './access.ts'
import type { User } from './account.ts'
import { sameMachine } from './architecture.ts'
import { mayLook } from './effort.ts'
import { type Dynamic, type Elf, ElfError, isElf, type Machine, parseElf } from './elf.ts'
import { readAt } from './file.ts'
import { parseLdCache } from './ld-cache.ts'

/** A program that is to be loaded, and by whom. */
export type Loading = {
  readonly fs: RootFs
  readonly program: Found
  readonly elf: Elf
  /** As the program names it, and what that leads to. */
  readonly interpreter: { readonly name: string; readonly found: Found }
  readonly env: ReadonlyMap<string, string>
  readonly user: User
  /** The working directory. */
  readonly directory: string
  /** Where volumes are mounted. */
  readonly volumes: readonly string[]
}

/** A library that the loader will not get. */
export type Lacking = {
  readonly name: string
  /** Path of what needs it; undefined where LD_PRELOAD names it, and the loader goes on without it. */
  readonly neededBy: string | undefined
  /** undefined where it is found nowhere. */
  readonly damaged: string | undefined
  readonly loader: Loader['kind']
}

/** A library, or the program. */
type Loaded = {
  /** Where it was found, links not followed: what `$ORIGIN` is. */
  readonly path: string
  readonly dynamic: Dynamic | undefined
  readonly loader: Loaded | undefined
}

/** What is known of a loader by its own bytes. */
type Loader = {
  readonly kind: 'glibc' | 'musl'
  readonly folders: readonly string[]
  /** What ldconfig wrote for it. */
  readonly cache: ReadonlyMap<string, readonly string[]>
  readonly soname: string | undefined
}

const largestLoader = 8 * 1024 * 1024
const largestCache = 16 * 1024 * 1024
/** Of a loader; real ones have four. */
const mostFolders = 64
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
export function lackingLibraries(loading: Loading): Lacking[] {
  const loader = loaderOf(loading)
  if (loader === undefined) return []
  const { program, elf } = loading
  const found: Lacking[] = []
  const names = new Set([loading.interpreter.name, loader.soname ?? '', loading.interpreter.found.path])
  const files = new Set([loading.interpreter.found.path])
  const main: Loaded = { path: program.path, dynamic: elf.dynamic, loader: undefined }
  const queue = [main]

  const looks = { left: mostLooks }
  const take = (name: string, by: Loaded, isPreloaded = false) => {
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
function isMuslItself(name: string): boolean {
  return /^lib(c|pthread|rt|m|dl|util|xnet)\./.test(name)
}

/** Most programs of an image have the same one. */
const loaders = new WeakMap<RootFs, Map<string, Loader | undefined>>()

function loaderOf(loading: Loading): Loader | undefined {
  const { fs, interpreter } = loading
  const known = loaders.get(fs) ?? new Map()
  loaders.set(fs, known)
  const key = `${interpreter.name}\0${interpreter.found.path}`
  if (!known.has(key)) known.set(key, readLoader(loading))
  return known.get(key)
}

/** What glibc's and musl's loaders are told apart by are texts that each of them must have. */
function readLoader({ fs, interpreter: { name, found } }: Loading): Loader | undefined {
  if (found.entry.size > largestLoader) return undefined
  const bytes = fs.read(found)
  const text = bytes.toString('latin1')
  const arch = /\/etc\/ld-musl-(?<arch>[\w-]{1,32})\.path\0|ld-musl-(?<name>[\w-]{1,32})\.so/.exec(
    text,
  )?.groups
  if (text.includes('/etc/ld-musl-')) return muslLoader(fs, name, arch?.arch ?? arch?.name)
  const cache = /\0(?<path>\/[^\0]*\/ld\.so\.cache)\0/.exec(text)?.groups?.path
  const folders = [...text.matchAll(/(?<=\0)(?:\/(?:[^\0\n ]*\/)?\0)+/g)].flatMap(([run]) =>
    run.split('\0').slice(0, -1),
  )
  if (cache === undefined || folders.length === 0) return undefined
  const known = fs.find(cache)
  const isCache = known?.entry.type === 'file' && known.entry.size <= largestCache
  const soname = sonameOf(bytes)
  return {
    kind: 'glibc',
    folders: [...new Set(folders)].slice(0, mostFolders),
    cache: isCache ? parseLdCache(fs.read(known)) : new Map(),
    soname,
  }
}

function sonameOf(bytes: Buffer): string | undefined {
  try {
    return parseElf((offset, length) => bytes.subarray(offset, offset + length)).dynamic?.soname
  } catch (error) {
    if (error instanceof ElfError) return undefined
    throw error
  }
}

/** @param name of the loader: its configuration is beside its folder */
function muslLoader(fs: RootFs, name: string, arch: string | undefined): Loader {
  const prefix = name.startsWith('/') ? name.split('/').slice(0, -2).join('/') : ''
  const configured = arch === undefined ? undefined : fs.find(`${prefix}/etc/ld-musl-${arch}.path`)
  const isFile = configured?.entry.type === 'file'
  const folders = isFile
    ? fs.read(configured, 0, 64 * 1024).toString('latin1')
    : '/lib:/usr/local/lib:/usr/lib'
  return {
    kind: 'musl',
    folders: folders.split(/[:\n]/).filter(Boolean),
    cache: new Map(),
    soname: undefined,
  }
}

/** A program with more rights than its user does not take libraries from him. */
function isSecure({ program: { entry }, user }: Loading): boolean {
  const setuid = (entry.mode & 0o4000) !== 0 && entry.uid !== user.uid
  return setuid || ((entry.mode & 0o2000) !== 0 && entry.gid !== user.gids[0])
}

function preloaded(loading: Loading): string[] {
  if (isSecure(loading)) return []
  return (loading.env.get('LD_PRELOAD') ?? '').split(/[ :]/).filter(Boolean)
}

type Library = { readonly path: string; readonly found: Found; readonly elf: Elf }

/**
 * The first file of that name that the loader takes; what is wrong with it, where it takes a wrong one; `mounted` where
 * the image has none, and what is mounted into the container may.
 */
function search(
  name: string,
  by: Loaded,
  loader: Loader,
  loading: Loading,
  looks: { left: number },
): Library | { readonly damaged: string } | 'mounted' | undefined {
  const { machine } = loading.elf
  let isMounted = ofDriver.test(name)
  const candidates = name.includes('/') ? expanded(name, by.path, machine) : paths(name, by, loader, loading)
  for (const path of candidates) {
    if (!mayLook(loading.fs)) looks.left = 0
    if (looks.left-- <= 0) return undefined
    const library = open(absolute(path, loading.directory), loader, loading)
    if (library === 'mounted') isMounted = true
    else if (library !== undefined) return library
  }
  return isMounted ? 'mounted' : undefined
}

/** Every place where the loader looks, in its order. */
function* paths(name: string, by: Loaded, loader: Loader, loading: Loading): Generator<string> {
  const { fs, elf, env } = loading
  const within = function* (list: string | undefined, origin: string, separator: RegExp): Generator<string> {
    for (const item of list?.split(separator) ?? [])
      for (const folder of expanded(item, origin, elf.machine)) yield* inFolder(fs, folder, name)
  }
  const user = isSecure(loading) ? undefined : env.get('LD_LIBRARY_PATH')
  if (loader.kind === 'musl') {
    yield* within(user, loading.program.path, /[:\n]/)
    for (const { path, dynamic } of chain(by))
      yield* within(dynamic?.runpath ?? dynamic?.rpath, path, /[:\n]/)
    for (const folder of loader.folders) yield `${folder}/${name}`
    return
  }
  // Who has a RUNPATH uses no RPATH, neither his own nor those of whoever loaded him.
  if (by.dynamic?.runpath === undefined)
    for (const { path, dynamic } of chain(by)) yield* within(dynamic?.rpath, path, /:/)
  yield* within(user, loading.program.path, /[:;]/)
  yield* within(by.dynamic?.runpath, by.path, /:/)
  const noDefault = by.dynamic?.noDefaultFolders === true
  const isDefault = (path: string) => loader.folders.some(folder => path.startsWith(folder))
  for (const path of loader.cache.get(name) ?? []) if (!noDefault || !isDefault(path)) yield path
  if (!noDefault) for (const folder of loader.folders) yield* inFolder(fs, folder, name)
}

/** An object, who loaded it, and so on, up to the program. */
function* chain(by: Loaded): Generator<Loaded> {
  for (let at: Loaded | undefined = by; at !== undefined; at = at.loader) yield at
}

/** There, and in the folders for better processors: which of these the machine has, nobody knows here. */
function* inFolder(fs: RootFs, path: string, name: string): Generator<string> {
  const folder = path.replace(/\/$/, '')
  yield `${folder}/${name}`
  const better = `${folder}/glibc-hwcaps`
  for (const level of fs.list(better)) yield `${better}/${level}/${name}`
}

/** What `$LIB` can be. */
const libraryFolders = [
  'lib',
  'lib64',
  'lib/x86_64-linux-gnu',
  'lib/aarch64-linux-gnu',
  'lib/i386-linux-gnu',
  'lib32',
]
/** What `$PLATFORM` can be, by the number of a processor; it says more of the processor than an image can. */
const platforms: Readonly<Record<number, readonly string[]>> = {
  3: ['i686', 'i586', 'i386'],
  62: ['x86_64', 'haswell', 'xeon_phi'],
  183: ['aarch64'],
}

/** Where what stands for something in a path or a list's item leads; an empty item is the working directory. */
function expanded(item: string, object: string, machine: Machine): string[] {
  const origin = item.replaceAll(/\$(?:ORIGIN\b|\{ORIGIN\})/g, () => dirname(object))
  const replace = (texts: string[], name: string, values: readonly string[]) => {
    const pattern = new RegExp(`\\$(?:${name}\\b|\\{${name}\\})`, 'g')
    return texts.flatMap(text =>
      pattern.test(text) ? values.map(value => text.replaceAll(pattern, value)) : [text],
    )
  }
  return replace(replace([origin], 'LIB', libraryFolders), 'PLATFORM', platforms[machine.number] ?? [])
}

function open(
  path: string,
  loader: Loader,
  { fs, user, elf: program, volumes }: Loading,
): Library | { readonly damaged: string } | 'mounted' | undefined {
  const followed = follow(fs, path, user)
  if (followed.is === 'mounted') return 'mounted'
  if (followed.is === 'failed') {
    const { at } = followed
    const isMountable = [driver, ...volumes].some(to => isWithin(at, to) || isWithin(path, to))
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
const libraries = new WeakMap<RootFs, Map<string, Elf | { readonly damaged: string }>>()

function libraryAt(fs: RootFs, found: Found): Elf | { readonly damaged: string } {
  const known = libraries.get(fs) ?? new Map<string, Elf | { readonly damaged: string }>()
  libraries.set(fs, known)
  const elf = known.get(found.path) ?? readLibrary(fs, found)
  known.set(found.path, elf)
  return elf
}

function readLibrary(fs: RootFs, found: Found): Elf | { readonly damaged: string } {
  const read = readAt(fs, found)
  if (!isElf(read(0, 4))) return { damaged: ' is no ELF file' }
  try {
    return parseElf(read)
  } catch (error) {
    if (error instanceof ElfError) return { damaged: `: ${error.message}` }
    throw error
  }
}
