import assert from 'node:assert/strict'
import { test } from 'node:test'
import { packageUrl, parseName, storeName } from '../../../src/sbom/names.ts'

test('names and versions are parted as Nix parts them', () => {
  // Each as `builtins.parseDrvName` of Nix 2.34 gives it.
  for (const [full, name, version] of [
    ['nix-0.12pre12876', 'nix', '0.12pre12876'],
    ['apache-httpd-2.0.48', 'apache-httpd', '2.0.48'],
    ['foo', 'foo', ''],
    ['foo-bar', 'foo-bar', ''],
    ['foo-1', 'foo', '1'],
    ['foo-', 'foo-', ''],
    ['foo--1', 'foo', '-1'],
    ['python3.12-requests-2.32.3', 'python3.12-requests', '2.32.3'],
    ['source', 'source', ''],
    ['a-_b', 'a', '_b'],
    ['-1', '', '1'],
  ] as const)
    assert.deepEqual(parseName(full), { name, version }, full)
})

test('an output is what the derivation’s name leaves of the path’s', () => {
  const hash = '5zzrvdmlkc5rh3k5862krd3wfb3pqhyf'
  const drv = (name: string) => `/nix/store/${'0'.repeat(32)}-${name}.drv`
  const path = (name: string) => `/nix/store/${hash}-${name}`
  const name = { hash, name: 'glibc', version: '2.40-66' }
  assert.deepEqual(storeName(path('glibc-2.40-66'), drv('glibc-2.40-66')), { ...name, output: 'out' })
  assert.deepEqual(storeName(path('glibc-2.40-66-bin'), drv('glibc-2.40-66')), { ...name, output: 'bin' })
  assert.deepEqual(storeName(path('glibc-2.40-66-bin'), undefined), {
    ...{ hash, name: 'glibc', version: '2.40-66-bin', output: undefined },
  })
  assert.equal(storeName(path('glibc-2.40'), drv('other')).output, undefined)
  assert.deepEqual(storeName('/nix/store/.links', undefined), {
    ...{ hash: '', name: '.links', version: '', output: undefined },
  })
})

test('package URLs are as the specification writes them', () => {
  // From the examples of https://github.com/package-url/purl-spec.
  assert.equal(packageUrl('npm', '@angular/animation', '12.3.1'), 'pkg:npm/%40angular/animation@12.3.1')
  assert.equal(
    packageUrl('golang', 'google.golang.org/genproto', ''),
    'pkg:golang/google.golang.org/genproto',
  )
  assert.equal(
    packageUrl('oci', 'debian', 'sha256:244fd47e07d10', {
      tag: undefined,
      repository_url: 'docker.io/library/debian',
      arch: 'amd64',
    }),
    'pkg:oci/debian@sha256:244fd47e07d10?arch=amd64&repository_url=docker.io%2Flibrary%2Fdebian',
  )
  assert.equal(packageUrl('nix', "a'b", '1.0+x'), 'pkg:nix/a%27b@1.0%2Bx')
})
