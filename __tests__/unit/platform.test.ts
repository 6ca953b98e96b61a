import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  comparePlatforms,
  fits,
  formatPlatform,
  parsePlatform,
  platformOf,
  systems,
} from '../../src/image/platform.ts'
import { imageIndex } from '../../src/registry/image-index.ts'
import { readManifest } from '../../src/registry/records.ts'
import { sha256 } from '../../src/util/digest.ts'

const platform = fc.record(
  {
    os: fc.constant('linux'),
    architecture: fc.constantFrom('amd64', 'arm64', 'arm', '386', 'riscv64'),
    variant: fc.constantFrom('v5', 'v6', 'v7', 'v8'),
  },
  { requiredKeys: ['os', 'architecture'] },
)

test('a system has a platform, of which the name reads back', () => {
  assert.equal(formatPlatform(platformOf('x86_64-linux')), 'linux/amd64')
  assert.equal(formatPlatform(platformOf('aarch64-linux')), 'linux/arm64')
  assert.equal(formatPlatform(platformOf('armv7l-linux')), 'linux/arm/v7')
  assert.equal(new Set(systems.map(system => formatPlatform(platformOf(system)))).size, systems.length)
  for (const system of systems)
    assert.deepEqual(parsePlatform(formatPlatform(platformOf(system))), platformOf(system))
})

test('a platform has one form', () => {
  assert.deepEqual(parsePlatform('linux/arm64/v8'), { os: 'linux', architecture: 'arm64' })
  assert.deepEqual(parsePlatform('linux/arm'), { os: 'linux', architecture: 'arm', variant: 'v7' })
  for (const text of [
    '',
    'linux',
    'amd64',
    'linux/',
    'windows/amd64',
    'linux/arm/7',
    'linux/amd64/v2/x',
    'Linux/amd64',
  ])
    assert.equal(parsePlatform(text), undefined, text)
  fc.assert(
    fc.property(platform, one => {
      const text = formatPlatform(one)
      assert.equal(
        formatPlatform(parsePlatform(text) ?? assert.fail(text)),
        one.architecture === 'arm' && !one.variant ? 'linux/arm/v7' : text,
      )
    }),
  )
})

test('an image is for a platform when nothing that both say is different', () => {
  const arm = (variant?: string) => ({ os: 'linux', architecture: 'arm', ...(variant ? { variant } : {}) })
  assert.ok(fits(arm(), arm('v7')))
  assert.ok(fits(arm('v7'), arm('v7')))
  assert.ok(!fits(arm('v6'), arm('v7')))
  assert.ok(fits({ os: 'linux', architecture: 'arm64', variant: 'v8' }, platformOf('aarch64-linux')))
  assert.ok(fits({ os: 'linux', architecture: 'amd64', variant: 'v2' }, platformOf('x86_64-linux')))
  assert.ok(!fits(platformOf('aarch64-linux'), platformOf('x86_64-linux')))
  assert.ok(!fits({ os: 'windows', architecture: 'amd64' }, platformOf('x86_64-linux')))
})

const child = (platform: ReturnType<typeof platformOf>, seed: number) => ({
  mediaType: 'application/vnd.oci.image.manifest.v1+json',
  digest: sha256(String(seed)),
  size: seed,
  platform,
})

test('an index is as the specification has it', () => {
  const bytes = imageIndex([child(platformOf('armv7l-linux'), 7), child(platformOf('x86_64-linux'), 3)], {
    b: '1',
    a: '2',
  })
  assert.deepEqual(JSON.parse(bytes.toString()), {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      {
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        digest: sha256('3'),
        size: 3,
        platform: { architecture: 'amd64', os: 'linux' },
      },
      {
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        digest: sha256('7'),
        size: 7,
        platform: { architecture: 'arm', os: 'linux', variant: 'v7' },
      },
    ],
    annotations: { a: '2', b: '1' },
  })
  assert.equal(readManifest({ digest: sha256(bytes), mediaType: '', bytes }, 'x'), undefined, 'is no image')
})

test('the same images give the same index, whatever their order', () => {
  const children = fc.uniqueArray(platform, { selector: formatPlatform, minLength: 1 }).chain(platforms => {
    const list = platforms.map((one, at) => child(one, at))
    return fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length }))
  })
  fc.assert(
    fc.property(children, ([one, other]) => {
      assert.equal(imageIndex(one, {}).toString(), imageIndex(other, {}).toString())
      const sorted = one.map(({ platform }) => platform).toSorted(comparePlatforms)
      const { manifests } = JSON.parse(imageIndex(one, {}).toString())
      assert.deepEqual(
        manifests.map(({ platform }: { platform: ReturnType<typeof platformOf> }) =>
          formatPlatform(platform),
        ),
        sorted.map(formatPlatform),
      )
    }),
  )
})
