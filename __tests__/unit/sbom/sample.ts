import fc from 'fast-check'
import type { Inventory, StorePackage } from '../../../src/sbom/model.ts'

const hash = fc.string({
  unit: fc.constantFrom(...'0123456789abcdfghijklmnpqrsvwxyz'),
  minLength: 32,
  maxLength: 32,
})
const storeName = fc.string({ unit: fc.constantFrom(...'abZ019+-._?='), minLength: 1, maxLength: 12 })
const storePath = fc.oneof(
  { weight: 20, arbitrary: fc.tuple(hash, storeName).map(([hash, name]) => `/nix/store/${hash}-${name}`) },
  // What else a layer may have there.
  {
    weight: 1,
    arbitrary: fc.string({ minLength: 1 }).map(name => `/nix/store/${name.replaceAll('/', '_')}`),
  },
)
const text = fc.string()
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
const sha256 = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(bytes => Buffer.from(bytes))

const meta = fc.record({
  description: maybe(text),
  homepage: maybe(fc.oneof(fc.webUrl(), text)),
  licenses: fc.array(
    fc.record({
      spdxId: maybe(fc.constantFrom('MIT', 'GPL-2.0', 'mit', 'No-Such-Licence')),
      name: fc.string({ minLength: 1 }),
    }),
    { maxLength: 3 },
  ),
  cpe: maybe(fc.oneof(fc.constant('cpe:2.3:a:gnu:glibc:2.40:*:*:*:*:*:*:*'), text)),
  purl: maybe(fc.constant('pkg:github/madler/zlib@v1.3.1')),
  isProgram: fc.boolean(),
})

const vendored = fc.record({
  name: fc.constantFrom('serde', '@babel/core', 'golang.org/x/sys'),
  version: fc.constantFrom('1.0.0', '0.1.0-rc.1+x'),
  purl: fc.constantFrom(
    'pkg:cargo/serde@1.0.0',
    'pkg:npm/%40babel/core@7.0.0',
    'pkg:golang/golang.org/x/sys@v0.1.0',
  ),
  sha256: maybe(sha256.map(bytes => bytes.toString('hex'))),
})

/** Any image of any store paths that refer to each other in any way. */
export const inventories: fc.Arbitrary<Inventory> = fc
  .record({
    paths: fc.uniqueArray(storePath, { maxLength: 12 }),
    layers: fc.array(
      sha256.map(bytes => `sha256:${bytes.toString('hex')}`),
      { maxLength: 4 },
    ),
    outside: fc.uniqueArray(fc.nat(4)),
    digest: maybe(sha256.map(bytes => `sha256:${bytes.toString('hex')}` as const)),
    created: fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true }),
    architecture: fc.constantFrom('amd64', 'arm64'),
    name: fc.constantFrom('ghcr.io/org/app', 'app'),
  })
  .chain(({ paths, layers, outside, digest, created, architecture, name }) => {
    const known = fc.record({
      narHash: sha256.map(bytes => `sha256-${bytes.toString('base64')}`),
      narSize: fc.nat(),
      references: fc.subarray([...paths, '/nix/store/00000000000000000000000000000000-elsewhere']),
      deriver: maybe(storePath.map(path => `${path}.drv`)),
    })
    const rest = fc.record({
      layer: fc.nat(4),
      known: maybe(known),
      meta: maybe(meta),
      vendored: fc.array(vendored, { maxLength: 2 }),
    })
    return fc
      .tuple(...paths.map(path => rest.map((rest): StorePackage => ({ path, ...rest }))))
      .map(packages => ({ image: { name, digest, architecture, created }, layers, outside, packages }))
  })
