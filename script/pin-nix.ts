/**
 * Adds a Nix release to the digests that this action trusts: `node script/pin-nix.ts 2.35.2`
 *
 * Downloads the tarball for each system, and the digest that the mirror publishes beside it, and writes the digest
 * down when both agree. Compare it with what others have seen before it is committed: both come from one host.
 */
import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { compareVersions, releaseUrl } from '../src/nix/releases.ts'

const officialMirror = 'https://releases.nixos.org/nix'
const systems = ['x86_64-linux', 'aarch64-linux']

type Pins = Record<string, Record<string, string>>

/** @throws Error when a download fails or a digest does not agree; `file` is as it was then. */
export async function pin(version: string, mirror: string, file: string): Promise<Record<string, string>> {
  if (!/^\d+\.\d+\.\d+$/.test(version)) throw new Error(`'${version}' is not a version such as 2.35.2`)
  const digests: Record<string, string> = {}
  for (const system of systems) {
    const url = releaseUrl(mirror, { version, system })
    const published = (await (await get(`${url}.sha256`)).text()).trim()
    const hash = createHash('sha256')
    for await (const chunk of (await get(url)).body ?? []) hash.update(chunk)
    const actual = hash.digest('hex')
    if (actual !== published) throw new Error(`${url} has the digest ${actual}; published is ${published}`)
    digests[system] = actual
  }
  const pins: Pins = JSON.parse(await readFile(file, 'utf8'))
  const known = pins[version] ?? {}
  for (const [system, digest] of Object.entries(known)) {
    if (digests[system] !== digest) throw new Error(`${version} for ${system} is pinned with another digest`)
  }
  const all = Object.entries({ ...pins, [version]: digests }).sort(([a], [b]) => compareVersions(b, a))
  await writeFile(file, `${JSON.stringify(Object.fromEntries(all), undefined, 2)}\n`)
  return digests
}

async function get(url: string): Promise<Response> {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${url}: HTTP ${response.status}`)
  return response
}

if (import.meta.main) {
  const [version = ''] = process.argv.slice(2)
  const file = join(import.meta.dirname, '../src/nix/pins.json')
  for (const [system, digest] of Object.entries(await pin(version, officialMirror, file)))
    console.log(`${version} ${system} ${digest}`)
}
