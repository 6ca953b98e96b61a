import assert from 'node:assert/strict'
import { test } from 'node:test'
import { vendoredBy } from '../../../src/sbom/vendored.ts'

const pathOf = (name: string) => `/nix/store/${'0'.repeat(32)}-${name}.drv`

type Made = {
  readonly needs?: readonly string[]
  readonly url?: string
  readonly json?: string
  readonly algorithm?: string
}

/** Derivations by name: what they need, and what they download. */
function graph(derivations: Readonly<Record<string, Made>>) {
  const texts = new Map(Object.entries(derivations).map(([name, made]) => [pathOf(name), render(made)]))
  const vendored = vendoredBy(path => texts.get(path))
  return (name: string) => vendored(pathOf(name))
}

/** As Nix writes it. */
function render({ needs = [], url, json, algorithm = 'sha256' }: Made): string {
  const fixed = url === undefined && json === undefined ? '"",""' : `"${algorithm}","ab"`
  const inputs = needs.map(name => `("${pathOf(name)}",["out"])`)
  const env = Object.entries({ url, __json: json }).flatMap(([key, value]) =>
    value === undefined ? [] : [`("${key}",${JSON.stringify(value)})`],
  )
  return `Derive([("out","",${fixed})],[${inputs}],[],"x86_64-linux","/bin/sh",["-c"],[${env}])`
}

test('crates of a lock file, as nixpkgs imports it, and those of a compiler left out', () => {
  const vendored = graph({
    'app-1.0': { needs: ['cargo-vendor-dir', 'rustc-1.80', 'app-1.0.tar.gz'] },
    'app-1.0.tar.gz': { url: 'https://example.org/app-1.0.tar.gz' },
    'cargo-vendor-dir': { needs: ['crate-serde-1.0.2.tar.gz', 'crate-either-1.13.0.tar.gz', 'stdenv-linux'] },
    'crate-serde-1.0.2.tar.gz': { url: 'https://crates.io/api/v1/crates/serde/1.0.2/download' },
    'crate-either-1.13.0.tar.gz': {
      json: '{"urls":["https://static.crates.io/crates/either/1.13.0/download"]}',
    },
    'rustc-1.80': { needs: ['crate-libc-0.2.0.tar.gz'] },
    'crate-libc-0.2.0.tar.gz': { url: 'https://crates.io/api/v1/crates/libc/0.2.0/download' },
  })
  assert.deepEqual(vendored('app-1.0'), [
    { name: 'serde', version: '1.0.2', purl: 'pkg:cargo/serde@1.0.2', sha256: 'ab' },
    { name: 'either', version: '1.13.0', purl: 'pkg:cargo/either@1.13.0', sha256: 'ab' },
  ])
})

test('crates that are derivations of their own, one needing the other', () => {
  const vendored = graph({
    rust_app: { needs: ['rust_a-1.0.0'] },
    'rust_a-1.0.0': { needs: ['rust_b-2.0.0', 'a-1.0.0.tar.gz'] },
    'rust_b-2.0.0': { needs: ['b-2.0.0.crate', 'rust_a-1.0.0'] },
    'a-1.0.0.tar.gz': { url: 'https://crates.io/api/v1/crates/a/1.0.0/download' },
    'b-2.0.0.crate': { url: 'https://static.crates.io/crates/b/b-2.0.0.crate' },
  })
  assert.deepEqual(
    vendored('rust_app')
      .map(({ purl }) => purl)
      .sort(),
    ['pkg:cargo/a@1.0.0', 'pkg:cargo/b@2.0.0'],
  )
})

test('npm and Go modules, with scopes and capitals', () => {
  const vendored = graph({
    web: { needs: ['web-npm-deps', 'web-go-modules'] },
    'web-npm-deps': { needs: ['core-7.0.0.tgz', 'left-pad-1.3.0.tgz', 'x-1.0.0-rc.1.tgz', 'odd-1.0.tgz'] },
    'core-7.0.0.tgz': { url: 'https://registry.npmjs.org/@babel/core/-/core-7.0.0.tgz' },
    'left-pad-1.3.0.tgz': {
      url: 'https://mirror.example/x https://registry.npmjs.org/left-pad/-/left-pad-1.3.0.tgz',
    },
    'x-1.0.0-rc.1.tgz': {
      url: 'https://registry.yarnpkg.com/%40s%2fx/-/x-1.0.0-rc.1.tgz',
      algorithm: 'sha512',
    },
    'odd-1.0.tgz': { url: 'https://registry.npmjs.org/%E0%A4/-/%E0%A4-1.0.tgz' },
    'web-go-modules': { needs: ['toml.zip'] },
    'toml.zip': { url: 'https://proxy.golang.org/github.com/!burnt!sushi/toml/@v/v1.2.0.zip' },
  })
  assert.deepEqual(
    vendored('web')
      .map(({ purl, sha256 }) => [purl, sha256])
      .sort(),
    [
      ['pkg:golang/github.com/BurntSushi/toml@v1.2.0', 'ab'],
      ['pkg:npm/%25E0%25A4@1.0', 'ab'],
      ['pkg:npm/%40babel/core@7.0.0', 'ab'],
      ['pkg:npm/%40s/x@1.0.0-rc.1', undefined],
      ['pkg:npm/left-pad@1.3.0', 'ab'],
    ],
  )
})

test('what names nothing, or is not here, gives nothing', () => {
  const vendored = graph({
    'app-1.0': { needs: ['app-1.0-vendor', 'gone.tgz', 'broken.tgz'] },
    'app-1.0-vendor': { url: 'https://example.org/' },
    'broken.tgz': { json: '{' },
  })
  assert.deepEqual(vendored('app-1.0'), [])
  assert.deepEqual(vendored('elsewhere'), [])
})
