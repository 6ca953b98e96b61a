import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { outputsOf } from '../../src/outputs.ts'
import type { Report } from '../../src/report.ts'
import { mainSummary, postSummary } from '../../src/summary.ts'

const built = {
  outPath: '/nix/store/x-image',
  builds: [
    { name: 'fast', seconds: 1 },
    { name: 'slow', seconds: 100 },
  ],
  substituted: { cache: 3, upstream: 1, bytes: 10 },
  seconds: 101,
}

const report: Report = {
  nix: {
    version: '2.34.8',
    how: 'installed',
    from: 'mirror',
    sandbox: true,
    phases: [{ name: 'unpack', seconds: 1.5 }],
  },
  cache: { status: 'partial', paths: 1200, bytes: 5 * 1024 ** 2 },
  build: built,
  push: {
    name: 'ghcr.io/o/r',
    digest: `sha256:${'a'.repeat(64)}`,
    tags: ['ghcr.io/o/r:main', 'ghcr.io/o/r:v1'],
    platform: 'linux/amd64',
    changed: true,
    size: 3000,
    uploaded: 1000,
    layers: [
      { digest: 'sha256:1', size: 2000, how: 'present' },
      { digest: 'sha256:2', size: 1000, how: 'uploaded' },
    ],
  },
  phases: [{ name: 'install Nix', seconds: 2 }],
}

test('the summary says what was published, what it cost and where the time went', () => {
  const text = mainSummary(report)
  assert.match(text, /Published: <code>ghcr\.io\/o\/r<\/code>/)
  assert.match(text, /docker pull ghcr\.io\/o\/r@sha256:a{64}/)
  assert.match(text, /2 layers, 2\.9 KiB: 1 uploaded, 1 already there; 1000 B sent/)
  assert.match(text, /2 derivations: <code>slow<\/code> 1 min 40 s, <code>fast<\/code> 1\.0 s/)
  assert.match(text, /3 paths from the cache, 1 path from elsewhere/)
  assert.match(text, /install Nix \| 2\.0 s \| unpack 1\.5 s/)
})

test('an unchanged image, one that was not pushed, and a warm cache have headings of their own', () => {
  const { push, build } = report
  assert.ok(push && build)
  assert.match(mainSummary({ ...report, push: { ...push, changed: false } }), /Unchanged/)
  const { push: _, ...unpushed } = report
  assert.match(mainSummary({ ...unpushed, unpushed: 'push is false' }), /built, not pushed: push is false/)
  assert.match(mainSummary({ ...unpushed, build: { ...build, outPath: undefined } }), /cache is warm/)
  assert.match(
    mainSummary({ ...unpushed, failure: 'it broke' }),
    /Failed: nothing was published\n\n> it broke/,
  )
})

test('whatever a failure or a name holds, it stays text, and every table keeps its columns', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 6000 }),
      fc.string({ maxLength: 40 }),
      (failure, name) => {
        const text = mainSummary({
          ...report,
          failure,
          build: { ...built, builds: [{ name, seconds: 1 }] },
        })
        assert.ok(Buffer.byteLength(text) < 1024 ** 2)
        assert.doesNotMatch(text.replaceAll(/<\/?code>/g, ''), /<\w/)
        const [facts] = text.split('\n\n').filter(block => block.startsWith('|'))
        for (const row of facts?.split('\n') ?? []) assert.equal(row.match(/(?<!\\)\|/g)?.length, 3, row)
      },
    ),
  )
})

test('outputs are those that are known', () => {
  assert.equal(outputsOf(report).get('image'), `ghcr.io/o/r@sha256:${'a'.repeat(64)}`)
  assert.equal(outputsOf(report).get('tags'), 'ghcr.io/o/r:main\nghcr.io/o/r:v1')
  assert.deepEqual([...outputsOf({ phases: [] }).keys()], ['metadata'])
  assert.deepEqual(JSON.parse(outputsOf(report).get('metadata') ?? ''), report)
})

test('post says what the cache holds, gained and lost, against its bound', () => {
  const none = { paths: 0, bytes: 0 }
  const saved = { before: none, uploaded: 10, limit: 2048, reasons: [], calls: 3 }
  const text = postSummary(
    {
      ...saved,
      outcome: 'saved',
      after: { paths: 3, bytes: 1024 },
      added: { paths: 2, bytes: 10 },
      dropped: none,
    },
    [],
  )
  assert.match(text, /Holds \| 3 paths, 1\.0 KiB of 2\.0 KiB/)
  assert.match(text, /Added \| \+2 paths, 10 B/)
  assert.match(text, /Dropped \| nothing/)
  assert.match(
    postSummary(
      { ...saved, outcome: 'failed', why: 'no <b>disk</b>', after: none, added: none, dropped: none },
      [],
    ),
    /no &lt;b&gt;/,
  )
})
