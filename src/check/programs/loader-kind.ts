import type { Found, RootFs } from '../../image/rootfs/model.ts'
import { ElfError, parseElf } from './elf.ts'
import { parseLdCache } from './ld-cache.ts'

/** What is known of a loader by its own bytes, and by what is configured for it. */
export type Loader = {
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
/** Most programs of an image have the same one. */
const loaders = new WeakMap<RootFs, Map<string, Loader | undefined>>()

/** What a program names its interpreter, and the file that this leads to. */
export type Interpreter = { readonly name: string; readonly found: Found }

/** Which loader a program's interpreter is; undefined where it is neither glibc's nor musl's. */
export function loaderOf(fs: RootFs, interpreter: Interpreter): Loader | undefined {
  const known = loaders.get(fs) ?? new Map()
  loaders.set(fs, known)
  const key = `${interpreter.name}\0${interpreter.found.path}`
  if (!known.has(key)) known.set(key, readLoader(fs, interpreter))
  return known.get(key)
}

/** What glibc's and musl's loaders are told apart by are texts that each of them must have. */
function readLoader(fs: RootFs, { name, found }: Interpreter): Loader | undefined {
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
