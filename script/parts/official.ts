import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { sha256OfFile } from '../../src/nix/archive.ts'
import pins from '../../src/nix/pins.json' with { type: 'json' }
import {
  compareVersions,
  defaultVersion,
  type Release,
  releaseName,
  releaseUrl,
  selectRelease,
} from '../../src/nix/releases.ts'
import type { NixTarball } from './paths.ts'
import { absent, run } from './run.ts'

/** Where Nix's project publishes its releases. */
export const officialMirror = 'https://releases.nixos.org/nix'

/** Seconds that a mirror may take until it is connected, and that it may send next to nothing. */
export type Patience = { readonly connect: number; readonly standstill: number }

/** The releases that tests and demo install, newest first: the action's default, and the oldest that it pins. */
export function wantedReleases(system: string): readonly Release[] {
  const versions = Object.entries<Record<string, string>>(pins)
    .filter(([, digests]) => digests[system] !== undefined)
    .map(([version]) => version)
    .sort(compareVersions)
  const wanted = new Set([defaultVersion, ...versions.slice(0, 1)])
  return [...wanted].map(version => selectRelease(version, undefined, system))
}

/**
 * Downloads releases into `folder`, in the layout of the mirror. What is there already is not downloaded again.
 * @returns why there is no having them: the mirror cannot be reached, has not got them, or breaks off. Undefined when
 *   all are there.
 * @throws Error when the mirror serves a file with another digest than the one pinned; the file is removed.
 */
export async function downloadReleases(
  mirror: string,
  wanted: readonly Release[],
  folder: string,
  patience: Patience,
): Promise<string | undefined> {
  for (const release of wanted) {
    const file = fileIn(folder, release)
    if ((await sha256OfFile(file).catch(() => undefined)) === release.sha256) continue
    await mkdir(dirname(file), { recursive: true })
    const partial = `${file}.partial`
    const url = releaseUrl(mirror, release)
    try {
      const problem = await download(url, partial, patience)
      if (problem !== undefined) return problem
      const actual = await sha256OfFile(partial)
      if (actual !== release.sha256) {
        throw new Error(
          `${url} does not have the digest that src/nix/pins.json has\npinned: ${release.sha256}\ngot:    ${actual}`,
        )
      }
      await rename(partial, file)
    } finally {
      await rm(partial, { force: true })
    }
  }
  return undefined
}

/** @returns what went wrong on the other side; what goes wrong on this one is thrown. */
async function download(url: string, file: string, patience: Patience): Promise<string | undefined> {
  if (absent(['curl']).length > 0) return 'there is no curl on this machine'
  const args = [
    ...['--fail', '--location', '--silent', '--show-error', '--output', file],
    ...['--connect-timeout', String(patience.connect)],
    ...['--speed-limit', '1000', '--speed-time', String(patience.standstill), url],
  ]
  const curl = spawn('curl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const [said, [code]] = await Promise.all([text(curl.stderr), once(curl, 'close')])
  if (code === 0) return undefined
  const why = said.trim().replace(/^curl: \(\d+\) /, '') || `curl ended with ${code}`
  if (code === failedWriting) throw new Error(`${file}: ${why}`)
  return `${url}: ${why}`
}

/** Exit code of curl: not the other side's fault. */
const failedWriting = 23

/** Where a folder with the layout of the mirror has the tarball. */
function fileIn(folder: string, release: Release): string {
  return join(folder, `nix-${release.version}`, `${releaseName(release)}.tar.xz`)
}

/**
 * Puts a release that `downloadReleases` brought to `folder` into `mirror`, and unpacks it in `work`.
 * @throws Error when it is not in the layout of a release.
 */
export async function placeRelease(
  release: Release,
  folder: string,
  mirror: string,
  work: string,
): Promise<NixTarball> {
  const file = fileIn(mirror, release)
  const root = join(work, releaseName(release))
  await mkdir(dirname(file), { recursive: true })
  await copyFile(fileIn(folder, release), file)
  await writeFile(`${file}.sha256`, release.sha256)
  await mkdir(work, { recursive: true })
  await run('tar', ['-xJf', file, '-C', work, '--no-same-owner'])
  const installer = await readFile(join(root, 'install'), 'utf8')
  const storePath = /^nix="(\/nix\/store\/[^"/]+)"$/m.exec(installer)?.[1]
  if (storePath === undefined) throw new Error(`The installer in ${basename(file)} does not name Nix`)
  return { ...release, file, store: join(root, 'store'), storePath }
}
