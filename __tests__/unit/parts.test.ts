import assert from 'node:assert/strict'
import { test } from 'node:test'
import { reachable } from '../../script/parts/apt.ts'
import { chooseSource, parseLines, parseParagraphs } from '../../script/parts/source.ts'
import { summaryOf } from '../../script/parts/summary.ts'

const ours = { uris: 'http://mirror.test/d', components: ['main'], signedBy: '/k.gpg' }

test('sources are read in both of the formats of apt', () => {
  const lines = `# deb http://old.test a main
deb [arch=amd64 signed-by=/k.gpg] http://mirror.test/d bookworm main contrib # ours
deb-src http://mirror.test/d bookworm main
deb http://mirror.test/d bookworm-updates main
`
  assert.deepEqual(parseLines(lines), [
    { ...ours, suites: ['bookworm'], components: ['main', 'contrib'] },
    { ...ours, suites: ['bookworm-updates'], signedBy: undefined },
  ])
  const paragraphs = `Types: deb deb-src
# Why it is so
URIs: http://mirror.test/d
Suites: bookworm bookworm-updates
Components: main
Signed-By: /k.gpg

Enabled: no
Types: deb
URIs: http://off.test
Suites: bookworm
Components: main

Types: deb
URIs: http://inline.test
Suites: x
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
`
  assert.deepEqual(parseParagraphs(paragraphs), [
    { ...ours, suites: ['bookworm', 'bookworm-updates'] },
    {
      uris: 'http://inline.test',
      suites: ['x'],
      components: ['main'],
      signedBy: '\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc',
    },
  ])
})

test('the source of the distribution is chosen, not one of a vendor with the same names', () => {
  const vendor = { ...ours, uris: 'http://vendor.test', suites: ['bookworm'] }
  const main = { ...ours, suites: ['bookworm'] }
  const updates = { ...ours, suites: ['bookworm-updates'] }
  assert.deepEqual(chooseSource([vendor, main, updates], 'bookworm'), { source: main, suite: 'bookworm' })
  assert.deepEqual(chooseSource([{ ...main, suites: ['stable'] }], 'bookworm')?.suite, 'stable')
  assert.equal(chooseSource([updates], 'bookworm'), undefined)
})

test('a package brings what it needs of those that are there', () => {
  const entry = (name: string, ...depends: string[]) => {
    return { name, depends, version: '1', file: '', size: 1, sha256: '' }
  }
  const entries = [entry('a', 'b', 'gone'), entry('b', 'c'), entry('c', 'b'), entry('d')]
  assert.deepEqual(reachable(entries, 'a'), ['a', 'b', 'c'])
})

test('where Nix comes from is said once: while it is brought, or when it was there', () => {
  const stamp = {
    ...{ spec: '', packages: [], missing: [], debs: {}, nixSource: 'the official mirror' },
    nix: ['2.34.8', '2.26.3'].map(version => ({
      version,
      system: '',
      file: '',
      sha256: '',
      store: '',
      storePath: '',
    })),
  }
  assert.equal(summaryOf(stamp, 'made'), '.parts is made: 0 packages, Nix 2.34.8 and 2.26.3')
  assert.equal(
    summaryOf(stamp, 'complete'),
    '.parts is complete: 0 packages, Nix 2.34.8 and 2.26.3 from the official mirror',
  )
})
