// Brings the real programs that tests and demo run into .parts/, from the distribution's packages, and releases of Nix,
// from the official mirror where that can be reached, else made from the distribution's packages, too.
// Nothing is installed into the system. With --print it also lists every package and its version.
// By environment: PARTS_NIX_MIRROR, the URL of another mirror with the layout of the official one; `none` for none.
import { createHash } from 'node:crypto'
import { copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { recompress } from '../src/nix/archive.ts'
import { archiveName } from '../src/nix/keep.ts'
import { type Entry, openSuite, reachable, type Suite } from './parts/apt.ts'
import { openPatchelf, type Patchelf } from './parts/elf.ts'
import { lock } from './parts/lock.ts'
import { downloadReleases, officialMirror, placeRelease, wantedReleases } from './parts/official.ts'
import {
  type NixTarball,
  type Package,
  partsBin,
  partsBrowser,
  partsDebs,
  partsKept,
  partsMirror,
  partsRoot,
  partsSsh,
  partsSystem,
  readStamp,
  type Stamp,
} from './parts/paths.ts'
import { platform } from './parts/platform.ts'
import { makeRelease } from './parts/release.ts'
import { absent } from './parts/run.ts'
import { findSource } from './parts/source.ts'
import { summaryOf } from './parts/summary.ts'
import { installPrograms, unpack } from './parts/unpack.ts'

/** Programs that tests run, newest there is. Nothing works without the first. */
const essential = ['nix-bin', 'patchelf', 'bash-static', 'busybox-static', 'ca-certificates']
const programs = [
  'docker-registry',
  'skopeo',
  'crane',
  'oras',
  'cosign',
  'podman',
  'conmon',
  'crun',
  'netavark',
  'docker.io',
  'docker-cli',
  'containerd',
  'runc',
  'strace',
]
/** A server and a client to copy to another machine with: the system's own, whose libraries they are linked with. */
const ssh = ['openssh-server', 'openssh-client']
/** Chromium without a screen and fonts, to see what is made for people's eyes: the system's own, as above. Ubuntu has none. */
const browser = ['chromium-headless-shell', 'chromium-common', 'fonts-liberation', 'fonts-noto-color-emoji']
/** Packages that flakes of tests unpack inside builds, from the system's own suite, whose versions stay. */
const samples = [
  'redis-server',
  'redis-tools',
  'busybox-static',
  'patchelf',
  'python3',
  'zstd',
  'supervisor',
  'python3-pkg-resources',
  'nginx',
  's6',
  'runit',
  'tini',
  'dumb-init',
  'catatonit',
  'gosu',
  'musl',
]

const mirror = process.env.PARTS_NIX_MIRROR || officialMirror
const wanted = () => wantedReleases(platform().system)

const started = performance.now()
const seconds = () => `${((performance.now() - started) / 1000).toFixed(1)} s`

/** Changes with anything that decides what the parts look like: this script, the folder, the distribution. */
async function specification(): Promise<string> {
  const folder = join(import.meta.dirname, 'parts')
  const files = [import.meta.filename, ...(await readdir(folder)).sort().map(name => join(folder, name))]
  const hash = createHash('sha256').update(`${partsRoot}\0${process.arch}\0${mirror}\0`)
  hash.update(JSON.stringify(wanted()))
  for (const file of [...files, '/etc/os-release']) hash.update(await readFile(file))
  return hash.digest('hex')
}

async function bring(spec: string): Promise<Stamp> {
  const needed = absent(['tar', 'xz'])
  if (needed.length > 0) throw new Error(`Needed from the system and not found: ${needed.join(', ')}`)
  const downloads = join(partsRoot, 'official')
  const problem =
    mirror === 'none'
      ? 'PARTS_NIX_MIRROR is none'
      : await downloadReleases(mirror, wanted(), downloads, { connect: 5, standstill: 20 })
  const official = problem === undefined ? wanted() : undefined
  const { suites, sourceFor } = await findSource()
  const nixSource =
    problem === undefined ? mirror : `${suites.distribution}'s packages, not the official mirror: ${problem}`
  console.log(`${seconds()}  Nix comes from ${nixSource}`)
  await rm(join(partsRoot, 'stamp.json'), { force: true })
  const here = platform()
  const open = (name: string) => openSuite(name, join(partsRoot, 'apt', name), sourceFor(name))
  const [newest, own, second] = await Promise.all([
    open(suites.newest),
    open(suites.own),
    open(suites.second),
  ])
  const opened = [newest, own, second]
  console.log(`${seconds()}  package lists: ${opened.map(suite => suite.name).join(', ')}`)

  const fromNewest = await fetch(newest, [...essential, ...programs])
  const lacking = essential.filter(name => fromNewest.missing.includes(name))
  if (lacking.length > 0) throw new Error(`${newest.name} has no ${lacking.join(', ')}`)
  const fromSecond = official === undefined ? await fetch(second, ['nix-bin']) : undefined
  const older = await fetch(second, ['cosign'])
  const fromOwn = await fetch(own, [...samples, 'sudo'])
  const fromOwnSsh = await fetch(own, ssh)
  const fromOwnBrowser = await fetch(own, browser)

  const newestTree = join(partsRoot, newest.name)
  await unpack(fromNewest.files, newestTree)
  console.log(`${seconds()}  unpacked`)
  const libraries = (tree: string) => join(tree, 'usr/lib', here.triplet)
  const newestLibraries = libraries(newestTree)
  const patchelf = openPatchelf(join(newestTree, 'usr/bin/patchelf'), newestLibraries, here.loader)
  await rm(partsBin, { recursive: true, force: true })
  const names = await installPrograms(newestTree, partsBin, patchelf, newestLibraries, here.loader)
  await installOlderCosign(older, { patchelf, loader: here.loader, libraries })
  console.log(`${seconds()}  ${names.length} programs in .parts/bin`)

  // What a machine must have at fixed paths: Nix's sandbox shell, as its package was compiled, and sudo.
  await unpack([fromOwn.fileOf('sudo'), fromNewest.fileOf('bash-static')], partsSystem)
  await unpackForSystem(fromOwnSsh, partsSsh)
  await unpackForSystem(fromOwnBrowser, partsBrowser)
  const debs = await keepSamples(fromOwn)

  const work = join(partsRoot, 'nix')
  for (const folder of [partsMirror, work]) await rm(folder, { recursive: true, force: true })
  const nix: NixTarball[] = []
  for (const release of official ?? []) nix.push(await placeRelease(release, downloads, partsMirror, work))
  for (const from of fromSecond === undefined ? [] : [fromNewest, fromSecond]) {
    const version = (name: string) => upstreamVersion(from.entryOf(name).version)
    if (nix.some(release => release.version === version('nix-bin'))) continue
    const tree = join(partsRoot, from.suite)
    if (from !== fromNewest) await unpack(from.files, tree)
    const input = {
      version: version('nix-bin'),
      glibcVersion: version('libc6'),
      cacertVersion: upstreamVersion(fromNewest.entryOf('ca-certificates').version),
      seed: from.entries.map(entry => `${entry.name}=${entry.version}\n`).join(''),
      tree,
      libraries: libraries(tree),
      certificates: join(newestTree, 'usr/share/ca-certificates/mozilla'),
      patchelf,
      platform: here,
    }
    const release = await makeRelease(input, partsMirror, work)
    nix.push(release)
    console.log(`${seconds()}  release tarball of Nix ${release.version}, made from ${from.suite} packages`)
  }

  await rm(partsKept, { recursive: true, force: true })
  await mkdir(partsKept)
  for (const release of nix.slice(0, 1)) await recompress(release.file, join(partsKept, archiveName(release)))

  // What apt keeps to be quick; it is large and made anew when it is wanted.
  for (const suite of opened) await rm(join(partsRoot, 'apt', suite.name, 'cache'), { recursive: true })

  const packages = [fromNewest, fromSecond, older, fromOwn, fromOwnSsh, fromOwnBrowser].flatMap(
    from => from?.packages ?? [],
  )
  const missing = [
    ...[...fromNewest.missing, ...older.missing.map(name => `${name}-2`)],
    ...[...fromOwnSsh.missing, ...fromOwnBrowser.missing],
  ]
  const stamp = { spec, packages, missing, nix, nixSource, debs }
  // Renamed into place, so that a stamp is whole whenever there is one.
  await writeFile(join(partsRoot, 'stamp.json.new'), `${JSON.stringify(stamp, null, 2)}\n`)
  await rename(join(partsRoot, 'stamp.json.new'), join(partsRoot, 'stamp.json'))
  return stamp
}

type Fetched = Awaited<ReturnType<typeof fetch>>

async function fetch(suite: Suite, wanted: readonly string[]) {
  const { entries, missing } = await suite.closure(wanted)
  const files = await suite.download(entries)
  const bytes = entries.reduce((sum, entry) => sum + entry.size, 0)
  console.log(
    `${seconds()}  ${suite.name}: ${entries.length} packages, ${(bytes / 1e6).toFixed(0)} MB` +
      (missing.length === 0 ? '' : `; not available: ${missing.join(', ')}`),
  )
  const packages = entries.map(
    ({ name, version }, i): Package => ({ name, version, suite: suite.name, file: files[i] ?? '' }),
  )
  const entryOf = (name: string): Entry => {
    const entry = entries.find(one => one.name === name)
    if (entry === undefined) throw new Error(`${suite.name} has no ${name}`)
    return entry
  }
  const fileOf = (name: string) => files[entries.indexOf(entryOf(name))] ?? ''
  return { suite: suite.name, entries, missing, files, packages, entryOf, fileOf }
}

/** Unpacks all but the C library, which goes with the system's own loader; nothing where a package is not available. */
async function unpackForSystem(from: Fetched, folder: string): Promise<void> {
  if (from.missing.length > 0) return await rm(folder, { recursive: true, force: true })
  const files = from.files.filter(file => file !== from.fileOf('libc6'))
  await unpack(files, folder)
}

/** A cosign that knows of signatures in tags only, as `cosign-2`, with the libraries that it was built for. */
async function installOlderCosign(
  from: Fetched,
  options: {
    readonly patchelf: Patchelf
    readonly loader: string
    readonly libraries: (tree: string) => string
  },
): Promise<void> {
  const { patchelf, loader, libraries } = options
  if (from.missing.length > 0 || !from.entryOf('cosign').version.startsWith('2.')) return
  const tree = join(partsRoot, `${from.suite}-cosign`)
  const bin = join(partsRoot, 'cosign-2')
  await unpack(from.files, tree)
  await rm(bin, { recursive: true, force: true })
  await installPrograms(tree, bin, patchelf, libraries(tree), loader)
  await rename(join(bin, 'cosign'), join(partsBin, 'cosign-2'))
  await rm(bin, { recursive: true })
}

/** Copies the samples and the libraries that they need to `.parts/debs`, named so that Nix takes the names. */
async function keepSamples(from: Fetched): Promise<Stamp['debs']> {
  await rm(partsDebs, { recursive: true, force: true })
  await mkdir(partsDebs, { recursive: true })
  const debs: Record<string, string[]> = {}
  for (const sample of samples) {
    const closure = reachable(from.entries, sample)
    for (const name of closure) await copyFile(from.fileOf(name), join(partsDebs, `${name}.deb`))
    debs[sample] = closure.map(name => `${name}.deb`)
  }
  return debs
}

/** `2.34.8` of `1:2.34.8+dfsg-1+b1`. */
function upstreamVersion(version: string): string {
  return version.replace(/^\d+:/, '').replace(/[-+~].*$/, '')
}

function report(stamp: Stamp, how: 'made' | 'complete'): void {
  console.log(`${seconds()}  ${summaryOf(stamp, how)}`)
  if (stamp.missing.length > 0) console.log(`Not available here: ${stamp.missing.join(', ')}`)
  if (!process.argv.includes('--print')) return
  for (const { name, version, suite } of stamp.packages) console.log(`${suite}\t${name}\t${version}`)
  for (const release of stamp.nix) console.log(`${release.file}\t${release.sha256}`)
}

async function main(): Promise<void> {
  const spec = await specification()
  const before = readStamp()
  if (before?.spec === spec) return report(before, 'complete')
  // Test runs start at the same time; one brings the parts, the others find them.
  using _ = await lock(`parts of ${partsRoot}`, () =>
    console.log('Waiting for another process that does the same'),
  )
  const now = readStamp()
  if (now?.spec === spec) report(now, 'complete')
  else report(await bring(spec), 'made')
}

await main().catch((error: Error) => {
  console.error(`script/parts.ts: ${error.message}`)
  if (error.cause instanceof Error) console.error(error.cause.message)
  process.exitCode = 1
})
