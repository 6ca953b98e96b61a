import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import pins from '../../src/nix/pins.json' with { type: 'json' }
import {
  compareVersions,
  defaultVersion,
  isPinned,
  minimumVersion,
  parseVersion,
  releaseUrl,
  selectRelease,
  systemOf,
} from '../../src/nix/releases.ts'

const x86 = 'x86_64-linux'
const arm = 'aarch64-linux'
const sha256 = 'a'.repeat(64)

test('the pins are digests, and the default version has one for every system', () => {
  for (const [version, systems] of Object.entries(pins)) {
    assert.match(version, /^\d+\.\d+\.\d+$/)
    assert.ok(compareVersions(version, minimumVersion) > 0)
    for (const [system, digest] of Object.entries(systems)) {
      assert.ok([x86, arm].includes(system))
      assert.match(digest, /^[0-9a-f]{64}$/)
    }
  }
  for (const system of [x86, arm])
    assert.equal(selectRelease(undefined, undefined, system).version, defaultVersion)
})

test('a release is found by its version or by the beginning of it', () => {
  const newest = selectRelease('2.34', undefined, x86)
  assert.deepEqual(newest, { version: '2.34.8', system: x86, sha256: pins['2.34.8'][x86] })
  assert.equal(
    selectRelease('2.34', undefined, arm).version,
    '2.34.6',
    'the newest that is pinned for the system',
  )
  assert.equal(selectRelease('2.31.4', undefined, arm).sha256, pins['2.31.4'][arm])
})

test("the user's digest wins, also for a version that is not pinned", () => {
  assert.deepEqual(selectRelease('2.99.1', sha256, x86), { version: '2.99.1', system: x86, sha256 })
  assert.equal(selectRelease('2.34.8', sha256, x86).sha256, sha256)
})

test('a digest is this action’s own, or one that the user gave', () => {
  const pinned = selectRelease(undefined, undefined, 'x86_64-linux')
  assert.equal(isPinned(pinned), true)
  assert.equal(isPinned({ ...pinned, sha256: 'a'.repeat(64) }), false)
  assert.equal(isPinned({ ...pinned, system: 'aarch64-linux' }), false)
  assert.equal(isPinned(selectRelease('2.3', 'a'.repeat(64), 'x86_64-linux')), false)
})

test('without a digest both ways out are named', () => {
  for (const version of ['2.99.1', '2.3', '2.34.80']) {
    assert.throws(() => selectRelease(version, undefined, x86), {
      name: 'UserError',
      message: `The digest of Nix ${version} for ${x86} is not known to this action.`,
      advice: new RegExp(
        `one of 2\\.35\\.2, .*2\\.28\\.3, or set nix-sha256 .* nix-${version}-${x86}\\.tar\\.xz`,
      ),
    })
  }
  assert.throws(() => selectRelease('2.34.8', undefined, arm), { name: 'UserError' })
})

test('the URL is that of a mirror with the layout of releases.nixos.org/nix', () => {
  const release = { version: '2.35.2', system: arm }
  for (const mirror of ['https://releases.nixos.org/nix', 'https://releases.nixos.org/nix//']) {
    assert.equal(
      releaseUrl(mirror, release),
      'https://releases.nixos.org/nix/nix-2.35.2/nix-2.35.2-aarch64-linux.tar.xz',
    )
  }
})

test('processors', () => {
  assert.equal(systemOf('x64'), x86)
  assert.equal(systemOf('arm64'), arm)
  assert.throws(() => systemOf('ia32'), { name: 'UserError', message: /'ia32'/ })
})

test('what `nix --version` says, also of forks', () => {
  const cases: Record<string, string | undefined> = {
    'nix (Nix) 2.34.8': '2.34.8',
    'nix (Nix) 2.4\n': '2.4',
    'nix (Nix) 2.19.0pre20230921_92493fd': '2.19.0',
    'nix (Lix, like Nix) 2.93.0\nSystem type: x86_64-linux': '2.93.0',
    'nix (Determinate Nix 3.11.2) 2.31.1': '2.31.1',
    'warning: something\nnix (Nix) 2.30.1': '2.30.1',
    'another program 1.0': undefined,
    '': undefined,
  }
  for (const [output, version] of Object.entries(cases)) assert.equal(parseVersion(output), version, output)
})

test('versions are ordered by their numbers', () => {
  assert.ok(compareVersions('2.9', '2.18') < 0)
  assert.ok(compareVersions('2.18.1', '2.18') > 0)
  assert.equal(compareVersions('2.18', '2.18.0'), 0)
  const version = fc.array(fc.nat(40), { minLength: 1, maxLength: 3 })
  fc.assert(
    fc.property(version, version, (a, b) => {
      const [first, second] = [a.join('.'), b.join('.')]
      assert.equal(Math.sign(compareVersions(first, second)), -Math.sign(compareVersions(second, first)) || 0)
      if (a.length === b.length) {
        const at = a.findIndex((part, index) => part !== b[index])
        assert.equal(
          Math.sign(compareVersions(first, second)),
          at < 0 ? 0 : Math.sign((a[at] ?? 0) - (b[at] ?? 0)),
        )
      }
    }),
  )
})
