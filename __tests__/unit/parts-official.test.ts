import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, test } from 'node:test'
import { downloadReleases, placeRelease, wantedReleases } from '../../script/parts/official.ts'
import { sha256OfFile } from '../../src/nix/archive.ts'
import { compareVersions, defaultVersion, type Release, releaseName } from '../../src/nix/releases.ts'

const patience = { connect: 20, standstill: 20 }
const store = `/nix/store/${'0'.repeat(32)}-nix`
let folder: string
let served: string
let server: Server
let mirror: string
let asked: string[]
/** Answers instead of the mirror. */
let instead: ((response: ServerResponse) => void) | undefined
const releases: Release[] = []

/** A tarball in the layout of a release, served at its place. */
async function publish(version: string): Promise<Release> {
  const release = { version, system: 'x86_64-linux', sha256: '' }
  const name = releaseName(release)
  const work = join(folder, 'work')
  mkdirSync(join(work, name, 'store'), { recursive: true })
  writeFileSync(join(work, name, 'install'), `nix="${store}-${version}"\ncacert="${store}-cacert"\n`)
  mkdirSync(join(served, `nix-${version}`), { recursive: true })
  const file = join(served, `nix-${version}`, `${name}.tar.xz`)
  execFileSync('tar', ['-cJf', file, '-C', work, name])
  return { ...release, sha256: await sha256OfFile(file) }
}

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'official-'))
  served = join(folder, 'served')
  releases.push(await publish('9.2.0'), await publish('9.1.0'))
  server = createServer((request, response) => {
    asked.push(request.url ?? '')
    if (instead !== undefined) return instead(response)
    try {
      response.end(readFileSync(join(served, request.url ?? '')))
    } catch {
      response.writeHead(404).end('<html>')
    }
  })
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  mirror = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
after(() => {
  server.closeAllConnections()
  server.close()
  rmSync(folder, { recursive: true })
})
let to: string
beforeEach(() => {
  asked = []
  instead = undefined
  to = mkdtempSync(join(folder, 'to-'))
})
afterEach(() => server.closeAllConnections())

const files = () => readdirSync(to, { recursive: true }).filter(name => String(name).includes('.tar'))

test('what the mirror has is downloaded once, verified, and placed as a mirror of our own', async () => {
  assert.equal(await downloadReleases(mirror, releases, to, patience), undefined)
  assert.equal(asked.length, 2)
  assert.equal(await downloadReleases(mirror, releases, to, patience), undefined)
  assert.equal(asked.length, 2, 'what is there is not asked for again')

  const [release] = releases
  assert.ok(release !== undefined)
  const ours = join(folder, 'ours')
  const placed = await placeRelease(release, to, ours, join(folder, 'unpacked'))
  assert.equal(placed.file, join(ours, 'nix-9.2.0/nix-9.2.0-x86_64-linux.tar.xz'))
  assert.equal(await sha256OfFile(placed.file), release.sha256)
  assert.equal(readFileSync(`${placed.file}.sha256`, 'utf8'), release.sha256)
  assert.equal(placed.storePath, `${store}-9.2.0`)
  assert.deepEqual(readdirSync(placed.store), [])

  // A file that was damaged since is brought anew.
  const file = join(to, 'nix-9.2.0/nix-9.2.0-x86_64-linux.tar.xz')
  writeFileSync(file, 'damaged')
  assert.equal(await downloadReleases(mirror, releases, to, patience), undefined)
  assert.equal(await sha256OfFile(file), release.sha256)
})

test('another digest than the pinned one is an error, and nothing of the file stays', async () => {
  const [one, two] = releases as [Release, Release]
  const wrong = { ...two, sha256: one.sha256 }
  await assert.rejects(
    downloadReleases(mirror, [one, wrong], to, patience),
    new RegExp(`9\\.1\\.0.*does not have the digest.*\npinned: ${one.sha256}\ngot: {4}${two.sha256}$`),
  )
  instead = response => response.end('<html>please log in</html>')
  await assert.rejects(downloadReleases(mirror, [two], to, patience), /does not have the digest/)
  assert.deepEqual(files(), ['nix-9.2.0/nix-9.2.0-x86_64-linux.tar.xz'])
})

test('a mirror that cannot be had is named with the reason, and is no error', async () => {
  const reason = (url = mirror, waiting = patience) => downloadReleases(url, releases, to, waiting)
  instead = response => response.writeHead(503).end('<html>')
  assert.match((await reason()) ?? '', /nix-9\.2\.0-x86_64-linux\.tar\.xz: .*503$/)
  const begin = (response: ServerResponse) =>
    response.writeHead(200, { 'content-length': 1000 }).write('a beginning')
  instead = response => {
    begin(response)
    setImmediate(() => response.destroy())
  }
  assert.match((await reason()) ?? '', /\.tar\.xz: .*with 989 (out of \S+ )?bytes remaining/)
  // One that accepts the connection and says nothing, and one that stops in the middle.
  for (const silent of [() => {}, begin]) {
    instead = silent
    assert.match((await reason(mirror, { ...patience, standstill: 1 })) ?? '', /: Operation too slow/)
  }
  assert.match((await reason('http://127.0.0.1:1')) ?? '', /Failed to connect|Could not connect/)
  assert.match((await reason('http://mirror.invalid')) ?? '', /Could not resolve/)
  assert.deepEqual(files(), [])
})

test('wanted are the default version and the oldest pinned one, for either system', () => {
  for (const system of ['x86_64-linux', 'aarch64-linux']) {
    const wanted = wantedReleases(system)
    assert.equal(wanted[0]?.version, defaultVersion)
    assert.equal(wanted.length, 2)
    assert.ok(compareVersions(wanted[1]?.version ?? '', defaultVersion) < 0)
    for (const release of wanted) assert.match(release.sha256, /^[0-9a-f]{64}$/)
  }
})
