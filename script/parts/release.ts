import { createHash } from 'node:crypto'
import { chmod, copyFile, cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { nixBase32 } from '../../src/util/base32.ts'
import type { Patchelf } from './elf.ts'
import { narInfo } from './nar.ts'
import type { NixTarball } from './paths.ts'
import type { Platform } from './platform.ts'
import { run } from './run.ts'

/** What one release tarball is made from. */
export type ReleaseInput = {
  readonly version: string
  readonly glibcVersion: string
  readonly cacertVersion: string
  /** What it is made from, in words: the hashes of the store paths come from it and from this file. */
  readonly seed: string
  /** An unpacked tree with Nix and all libraries that it needs. */
  readonly tree: string
  /** The tree's folder of libraries, absolute. */
  readonly libraries: string
  /** Folder of certificates in PEM. */
  readonly certificates: string
  readonly patchelf: Patchelf
  readonly platform: Platform
}

/**
 * Makes a release of Nix as its project publishes them, in `mirror`/nix-<version>/:
 * nix-<version>-<system>.tar.xz with `install`, `.reginfo` and `store`, and its `.sha256`.
 * The same input gives the same bytes. What the tarball holds stays unpacked in `work`.
 */
export async function makeRelease(input: ReleaseInput, mirror: string, work: string): Promise<NixTarball> {
  const { version, platform, patchelf } = input
  const folder = join(mirror, `nix-${version}`)
  const name = `nix-${version}-${platform.system}`
  const root = join(work, name)
  const file = join(folder, `${name}.tar.xz`)
  await rm(root, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })

  const recipe = await readFile(import.meta.filename)
  const storeName = (label: string) => {
    const seed = `${label} ${platform.system} ${input.cacertVersion} ${input.seed}`
    const digest = createHash('sha256').update(recipe).update(seed).digest()
    return `${nixBase32(digest.subarray(0, 20))}-${label}`
  }
  const glibc = storeName(`glibc-${input.glibcVersion}`)
  const nix = storeName(`nix-${version}`)
  const cacert = storeName(`nss-cacert-${input.cacertVersion}`)
  const store = join(root, 'store')
  const installed = (path: string) => join('/nix/store', path)

  const nixBin = join(store, nix, 'bin')
  await mkdir(join(store, nix), { recursive: true })
  await cp(join(input.tree, 'usr/bin'), nixBin, { recursive: true, verbatimSymlinks: true, filter: isNix })
  await mkdir(join(store, nix, 'libexec/nix'), { recursive: true })
  await symlink('../../bin/nix', join(store, nix, 'libexec/nix/build-remote'))
  for (const library of await closure(join(nixBin, 'nix'), input)) {
    const owner = isGlibc(library) ? glibc : nix
    const to = join(store, owner, 'lib', library)
    await mkdir(join(store, owner, 'lib'), { recursive: true })
    await copyFile(join(input.libraries, library), to)
    await chmod(to, library === platform.loader ? 0o755 : 0o644)
  }
  const libraries = [nix, glibc].map(path => installed(join(path, 'lib')))
  const loader = installed(join(glibc, 'lib', platform.loader))
  await patchelf.patch(join(nixBin, 'nix'), loader, libraries)
  await writeCertificates(input.certificates, join(store, cacert, 'etc/ssl/certs'))

  const hashParts = [glibc, nix, cacert].map(path => path.slice(0, 32))
  let registration = ''
  for (const path of [cacert, glibc, nix]) {
    const info = await narInfo(join(store, path), hashParts)
    const references = [glibc, nix, cacert].filter(other => info.references.includes(other.slice(0, 32)))
    const lines = [installed(path), info.hash, info.size, '', references.length, ...references.map(installed)]
    registration += lines.map(line => `${line}\n`).join('')
  }
  await writeFile(join(root, '.reginfo'), registration)
  await writeFile(join(root, 'install'), installScript(installed(nix), installed(cacert)), { mode: 0o755 })

  // The project's own tarballs have these modes too: not the read-only ones of a store.
  const canonical = [
    '--sort=name',
    '--mtime=@1',
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '--mode=u+rw,uga+r',
  ]
  // A fixed number of threads: xz writes other bytes with one than with several.
  await run('tar', [...canonical, '-I', 'xz -1 -T2', '-C', work, '-cf', file, name])
  const sha256 = createHash('sha256')
    .update(await readFile(file))
    .digest('hex')
  await writeFile(`${file}.sha256`, sha256)
  return { version, system: platform.system, file, sha256, store, storePath: installed(nix) }
}

/** File names of all libraries that a program needs, found as the dynamic loader finds them. */
async function closure(program: string, input: ReleaseInput): Promise<string[]> {
  const found = new Set<string>()
  const visit = async (file: string) => {
    for (const library of await input.patchelf.needed(file)) {
      if (found.has(library)) continue
      found.add(library)
      await visit(join(input.libraries, library))
    }
  }
  await visit(program)
  return [...found].sort()
}

function isGlibc(library: string): boolean {
  return /^(ld-linux|lib(c|m|dl|rt|pthread|resolv|util|anl)\.so)/.test(library)
}

function isNix(path: string): boolean {
  const name = basename(path)
  return name === 'bin' || name === 'nix' || name.startsWith('nix-')
}

async function writeCertificates(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true })
  const files = (await readdir(from)).filter(name => name.endsWith('.crt')).sort()
  const certificates = await Promise.all(files.map(name => readFile(join(from, name), 'utf8')))
  await writeFile(join(to, 'ca-bundle.crt'), certificates.join('\n'))
}

function installScript(nix: string, cacert: string): string {
  return `#!/bin/sh
# Made from a distribution's packages, in the layout of a Nix release, for tests.
set -e

nix="${nix}"
cacert="${cacert}"

echo "$0: this release is installed by unpacking 'store' and loading '.reginfo'" >&2
exit 1
`
}
