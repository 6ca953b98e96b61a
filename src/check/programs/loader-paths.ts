import type { Found, RootFs } from '../../image/rootfs/model.ts'
import { dirname } from './access.ts'
import type { User } from './account.ts'
import type { Dynamic, Elf, Machine } from './elf.ts'
import type { Interpreter, Loader } from './loader-kind.ts'

/** A program that is to be loaded, and by whom. */
export type Loading = {
  readonly fs: RootFs
  readonly program: Found
  readonly elf: Elf
  readonly interpreter: Interpreter
  readonly env: ReadonlyMap<string, string>
  readonly user: User
  /** The working directory. */
  readonly directory: string
  /** Whether what is at a path is mounted when the container runs. */
  readonly isMounted: (path: string) => boolean
}

/** A library, or the program. */
export type Loaded = {
  /** Where it was found, links not followed: what `$ORIGIN` is. */
  readonly path: string
  readonly dynamic: Dynamic | undefined
  readonly loader: Loaded | undefined
}

/** A program with more rights than its user does not take libraries from him. */
export function isSecure({ program: { entry }, user }: Loading): boolean {
  const setuid = (entry.mode & 0o4000) !== 0 && entry.uid !== user.uid
  return setuid || ((entry.mode & 0o2000) !== 0 && entry.gid !== user.gids[0])
}

/** Every place where the loader looks, in its order. */
export function* libraryPaths(name: string, by: Loaded, loader: Loader, loading: Loading): Generator<string> {
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
export function expanded(item: string, object: string, machine: Machine): string[] {
  const origin = item.replaceAll(/\$(?:ORIGIN\b|\{ORIGIN\})/g, () => dirname(object))
  const replace = (texts: string[], name: string, values: readonly string[]) => {
    const pattern = new RegExp(`\\$(?:${name}\\b|\\{${name}\\})`, 'g')
    return texts.flatMap(text =>
      pattern.test(text) ? values.map(value => text.replaceAll(pattern, value)) : [text],
    )
  }
  return replace(replace([origin], 'LIB', libraryFolders), 'PLATFORM', platforms[machine.number] ?? [])
}
