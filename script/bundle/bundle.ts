import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { collectLicences } from './licences.ts'
import { readOwnCode } from './own.ts'
import { bundleVendor } from './vendor.ts'

/** The whole content of dist/, by path relative to it. */
export type Bundle = ReadonlyMap<string, string>

/**
 * @param root folder with src/, node_modules/ and biome.json
 * @param entries paths relative to src/
 */
export async function bundle(root: string, entries: readonly string[]): Promise<Bundle> {
  const own = await readOwnCode(join(root, 'src'), entries)
  const vendor = await bundleVendor(root, own.packages)
  return new Map([
    ...(await formatted(root, own.files)),
    ...vendor.files,
    ['LICENSES.txt', await collectLicences(root, vendor.folders)],
  ])
}

/** Closes the gaps that types left, in the style of the source. */
async function formatted(root: string, files: Bundle): Promise<Bundle> {
  const { formatter, javascript } = JSON.parse(await readFile(join(root, 'biome.json'), 'utf8'))
  const folder = await mkdtemp(join(tmpdir(), 'dist-'))
  try {
    await writeBundle(folder, new Map([...files, ['biome.json', JSON.stringify({ formatter, javascript })]]))
    const biome = join(root, 'node_modules/.bin/biome')
    await promisify(execFile)(biome, ['format', '--write', '.'], { cwd: folder })
    return new Map(
      await Promise.all(
        [...files.keys()].map(async path => [path, await readFile(join(folder, path), 'utf8')] as const),
      ),
    )
  } finally {
    await rm(folder, { recursive: true })
  }
}

export async function writeBundle(folder: string, files: Bundle): Promise<void> {
  for (const [path, text] of files) {
    await mkdir(join(folder, dirname(path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
}

/** Paths relative to `folder` that differ from the bundle, are missing, or should not be there. */
export async function differences(folder: string, files: Bundle): Promise<string[]> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const paths = found
    .filter(entry => !entry.isDirectory())
    .map(entry => relative(folder, join(entry.parentPath, entry.name)))
  const stale = paths.filter(path => !files.has(path))
  for (const [path, text] of files) {
    const there = await readFile(join(folder, path)).catch(() => undefined)
    if (!there?.equals(Buffer.from(text))) stale.push(path)
  }
  return stale.toSorted()
}
