import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runNix } from '../nix/cli.ts'
import type { Nix, PathInfo } from '../nix/model.ts'
import { codeOf, isDiskFull } from '../util/errors.ts'
import { hashOf } from './model.ts'
import type { NarFile } from './nar-file.ts'
import { narFile, storeDir } from './narinfo.ts'
import { mostInMemory, type WrittenNars, writeSmallNars } from './small-nars.ts'

/** Bytes of NARs and number of paths after which it is looked at whether there is room for more. */
const batchBytes = 512 * 1024 * 1024
const batchPaths = 5000

/** To begin another batch takes as long as to compress about this many bytes. */
const leastBatch = 16 * 1024 * 1024

/** zstd makes no store path smaller than by this factor, or so few that they do not matter. */
const bestRatio = 20

/**
 * Compresses the NARs of store paths into files: small ones in threads of ours, large ones with `nix copy`, which
 * streams them and compresses each on several processors. See docs/adr/0005 for what either takes.
 * @param options.paths in the order in which they matter; what they refer to comes before them or is in `outside`
 * @param options.worker the built `nar-worker.js`
 * @param options.budget bytes that there is room for. Paths that cannot fit into what is left of it are not begun, nor
 *   what refers to them; the last ones may go beyond it.
 * @param options.folder where the files go; whatever was there is removed
 * @throws Error when the disk is full (ENOSPC)
 */
export async function writeNars(options: {
  readonly nix: Nix
  readonly paths: readonly PathInfo[]
  readonly worker: string
  readonly folder: string
  readonly budget: number
}): Promise<WrittenNars> {
  const { nix, paths, folder, budget } = options
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const nars = new Map<string, NarFile>()
  const problems: string[] = []
  const skipped = new Set<string>()
  let left = budget
  let rest = paths
  while (rest.length > 0 && left > 0) {
    const fitting = rest.filter(path => fits(path, left, skipped))
    const batch = firstBatch(fitting, left)
    rest = fitting.slice(batch.length)
    if (batch.length === 0) break
    for (const written of await write(nix, batch, options)) {
      problems.push(...written.problems)
      for (const [path, nar] of written.nars) {
        nars.set(path, nar)
        left -= nar.fileSize
      }
    }
  }
  return { nars, problems }
}

/** Whether a path may fit into so many bytes. One that does not is noted, so that what refers to it does not either. */
function fits({ path, narSize, references }: PathInfo, room: number, skipped: Set<string>): boolean {
  if (narSize <= room * bestRatio && !references.some(reference => skipped.has(reference))) return true
  skipped.add(path)
  return false
}

/**
 * The first of the paths, at least one: the fewer the less room there is, so that little is compressed that then has
 * none. Pure.
 * @param room bytes
 */
export function firstBatch(paths: readonly PathInfo[], room: number): PathInfo[] {
  const most = Math.min(batchBytes, Math.max(leastBatch, 2 * room))
  let bytes = 0
  const end = paths.findIndex(({ narSize }, at) => {
    bytes += narSize
    return at > 0 && (at >= batchPaths || bytes > most)
  })
  return paths.slice(0, end < 0 ? paths.length : end)
}

async function write(
  nix: Nix,
  paths: readonly PathInfo[],
  { folder, worker }: { readonly folder: string; readonly worker: string },
): Promise<readonly WrittenNars[]> {
  const small = paths.filter(({ narSize }) => narSize <= mostInMemory)
  const large = paths.filter(({ narSize }) => narSize > mostInMemory)
  return [await writeSmallNars({ paths: small, folder, worker }), await copy(nix, large, folder)]
}

/** What was copied before something went wrong is there. */
async function copy(nix: Nix, paths: readonly PathInfo[], folder: string): Promise<WrittenNars> {
  const nars = new Map<string, NarFile>()
  if (paths.length === 0) return { nars, problems: [] }
  // Nix adds a path to a binary cache only when the cache has what it refers to, so it is told that it does.
  for (const path of outsideOf(paths)) await writeFile(narInfoFile(folder, path), stub(path))
  const problem = await runCopy(nix, paths, folder)
  for (const { path } of paths) {
    const nar = await writtenNar(folder, path)
    if (nar !== undefined) nars.set(path, nar)
  }
  return { nars, problems: problem === undefined ? [] : [problem] }
}

/** What the paths refer to and what is not among them. */
function outsideOf(paths: readonly PathInfo[]): Set<string> {
  const inside = new Set(paths.map(({ path }) => path))
  return new Set(paths.flatMap(({ references }) => references)).difference(inside)
}

async function runCopy(nix: Nix, paths: readonly PathInfo[], folder: string): Promise<string | undefined> {
  const { code, stderr } = await runNix(
    nix,
    'nix',
    [
      ...['--extra-experimental-features', 'nix-command', 'copy', '--no-recursive', '--stdin'],
      ...['--to', `file://${folder}?compression=zstd&parallel-compression=true`],
    ],
    { input: Buffer.from(paths.map(({ path }) => `${path}\n`).join('')) },
  )
  if (code === 0) return undefined
  if (isDiskFull(stderr)) {
    throw Object.assign(new Error('nix copy: no space left'), { code: 'ENOSPC' })
  }
  return stderr.trim().split('\n').at(-1) ?? ''
}

/** What the narinfo says that Nix wrote for a path; undefined when it did not come to that. */
async function writtenNar(folder: string, path: string): Promise<NarFile | undefined> {
  let text: string
  try {
    text = await readFile(narInfoFile(folder, path), 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
  const fileHash = /^FileHash: sha256:([0-9a-z]{52})$/m.exec(text)?.[1]
  const fileSize = /^FileSize: (\d+)$/m.exec(text)?.[1]
  if (fileHash === undefined || fileSize === undefined || !text.includes(`\nURL: ${narFile(fileHash)}\n`)) {
    throw new Error(`nix copy described ${path} in a way that is not understood`)
  }
  return { fileHash, fileSize: Number(fileSize), file: join(folder, narFile(fileHash)) }
}

function narInfoFile(folder: string, path: string): string {
  return join(folder, `${hashOf(path)}.narinfo`)
}

/** A description that is enough for Nix to believe that the path is there. */
function stub(path: string): string {
  const hash = `sha256:${'0'.repeat(52)}`
  return `StorePath: ${path}\nURL: ${storeDir}/none\nCompression: none\nNarHash: ${hash}\nNarSize: 1\nReferences: \n`
}
