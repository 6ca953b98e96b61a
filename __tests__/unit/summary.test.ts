import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { emptyIndex } from '../../src/cache/model.ts'
import type { SaveReport } from '../../src/cache/save-model.ts'
import { outputsOf } from '../../src/outputs.ts'
import { cacheStatus, type Report } from '../../src/report.ts'
import { mainSummary } from '../../src/summary/main.ts'
import { postSummary } from '../../src/summary/post.ts'
import { hostile, outline } from './markdown.ts'

const built: NonNullable<Report['build']> = {
  outPaths: ['/nix/store/x-image'],
  builds: [
    { name: 'fast', seconds: 1 },
    { name: 'slow', seconds: 100 },
  ],
  failed: [],
  substituted: { cache: 3, upstream: 1, bytes: 2048 },
}

const pushed: NonNullable<Report['push']> = {
  name: 'ghcr.io/o/r',
  digest: `sha256:${'a'.repeat(64)}`,
  tags: ['ghcr.io/o/r:main', 'ghcr.io/o/r:v1'],
  platforms: ['linux/amd64'],
  changed: true,
  tagged: ['main', 'v1'],
  waiting: [],
  images: [
    {
      platform: 'linux/amd64',
      digest: `sha256:${'a'.repeat(64)}`,
      changed: true,
      size: 3000,
      uploaded: 1000,
      layers: [
        { digest: 'sha256:1', size: 2000, how: 'present' },
        { digest: 'sha256:2', size: 1000, how: 'uploaded' },
      ],
    },
  ],
}

const nix: NonNullable<Report['nix']> = {
  version: '2.34.8',
  how: 'installed',
  from: 'mirror',
  sandbox: true,
  phases: [
    { name: 'look for Nix', start: 0, seconds: 0.01 },
    { name: 'unpack', start: 0, seconds: 1.5 },
    { name: 'try the sandbox', start: 1.5, seconds: 0.3 },
  ],
}

const report: Report = {
  nix,
  cache: {
    status: 'partial',
    paths: 1200,
    bytes: 5 * 1024 ** 2,
    limit: 10 * 1024 ** 2,
    fetched: { packs: 2, bytes: 3 * 1024 ** 2 },
  },
  build: built,
  push: pushed,
  phases: [
    { name: 'build', start: 2, seconds: 100 },
    { name: 'install Nix', start: 0.1, seconds: 1.9 },
    { name: 'open the cache', start: 0.1, seconds: 0.4 },
  ],
  seconds: 102.5,
}
const { push: _, ...unpushed } = report
const { nix: __, ...unbuilt } = report

test('the summary says what was published, what it cost and where the time went', () => {
  const text = mainSummary(report)
  assert.match(text, /Published: <code>ghcr\.io\/o\/r<\/code>/)
  assert.match(text, /docker pull ghcr\.io\/o\/r@sha256:a{64}/)
  assert.match(text, /\| Tags \| <code>main<\/code> <code>v1<\/code> \|/)
  assert.match(text, /1000 B sent of 2\.9 KiB; 2 layers: 1 uploaded, 1 already there \|/)
  assert.match(text, /2 derivations: <code>slow<\/code> 1 min 40 s, <code>fast<\/code> 1\.0 s/)
  assert.match(text, /3 paths from the cache, 1 path from elsewhere; 2\.0 KiB/)
  assert.match(
    text,
    /\| Cache \| \*\*partial\*\*; it held 1,200 paths, <code>█{10}░{10}<\/code> 5\.0 MiB of 10\.0 MiB; 2 packs fetched, 3\.0 MiB \|/,
  )
  assert.match(text, /\| This run \| 1 min 43 s \|/)
  assert.match(
    text,
    /<details>[\s\S]*\| Store path of the image \|\n.*\n\| <code>\/nix\/store\/x-image<\/code> \|/,
  )
})

test('phases are in the order of their start, each where it was in the run and as long as it took', () => {
  const blocks = mainSummary(report).split('```\n')
  const lines = blocks.find(block => block.startsWith('install Nix'))?.split('\n') ?? []
  assert.deepEqual(
    lines.slice(0, 3).map(line => line.replace(/█{60,}/, 'long')),
    ['install Nix          1.9 s  █', 'open the cache       0.4 s  ▌', 'build           1 min 40 s   long▌'],
  )
})

test('what took no time is not listed, and no table has a header without words', () => {
  const text = mainSummary(report)
  assert.match(text, /<details>[\s\S]*\| Installation of Nix \| Time \|\n.*\n\| unpack \| 1\.5 s \|/)
  assert.doesNotMatch(text, /look for Nix/)
  assert.doesNotMatch(text, /^(\|\s+)+\|$/m)
  assert.doesNotMatch(text, /Slowest/, 'the table has them already')
  const builds = ['a', 'b', 'c', 'd'].map((name, index) => ({ name, seconds: index + 1 }))
  assert.match(mainSummary({ ...report, build: { ...built, builds } }), /Slowest.*\n.*\n\| <code>d</)
})

test('an image that was there, one that was not pushed, and a warm cache have headings of their own', () => {
  const again = { ...pushed, changed: false }
  const headingOf = (one: Report) => mainSummary(one).split('\n')[0]
  assert.equal(
    headingOf({ ...report, push: { ...again, tagged: [] } }),
    '### ✅ Unchanged: <code>ghcr.io/o/r</code>',
  )
  assert.equal(
    headingOf({ ...report, push: { ...again, tagged: ['v1'] } }),
    '### 🏷️ Unchanged image, 1 tag set: <code>ghcr.io/o/r</code>',
  )
  assert.match(
    mainSummary({ ...unpushed, unpushed: '`push` is `false`' }),
    /built, not pushed: <code>push<\/code> is <code>false</,
  )
  assert.match(mainSummary({ ...unpushed, build: { ...built, outPaths: [] } }), /cache is warm/)
  const off = { status: 'off', paths: 0, bytes: 0 } as const
  assert.equal(
    headingOf({ ...unpushed, cache: off, build: { ...built, outPaths: [] } }),
    '### ✅ Done: what was asked for is built',
  )
  assert.match(mainSummary({ ...report, push: { ...pushed, tags: [] } }), /Tags \| \*\*none\*\*: pushed by/)
})

test('a failure says what happened, what to do, and the end of the log; then how far the run came', () => {
  const { build: __, ...begun } = unpushed
  const log = Array.from({ length: 40 }, (_, index) => `> line ${index}`)
  const failed: Report = {
    ...begun,
    cache: { status: undefined, paths: 5, bytes: 1024 },
    build: { ...built, outPaths: [], failed: ['app-1'] },
    failure: {
      message: 'app-1 failed to build',
      advice: 'Run `nix log`.',
      detail: [...log, '```', '<b>'].join('\n'),
      phase: 'build',
    },
  }
  const text = mainSummary(failed)
  assert.match(text, /^### ❌ Could not build: nothing was published\n\n> app-1 failed to build\n\n/)
  assert.match(text, /\n\n\*\*What to do\*\*: Run <code>nix log<\/code>\.\n\n/)
  assert.match(text, /\n\n````\n…\n> line 30\n(> line \d+\n){9}```\n<b>\n````\n\n/)
  assert.match(text, /\| Built \| 2 derivations/)
  assert.match(text, /\| Failed \| <code>app-1<\/code> \|/)
  assert.match(text, /\| Cache \| it held 5 paths, 1\.0 KiB \|/)
  assert.doesNotMatch(text, /undefined/)
})

test('of a push that failed it is not said that nothing was published; a cancelled run is called one', () => {
  const failure = { message: 'it broke', advice: undefined, detail: undefined }
  const headingOf = (more: object) =>
    mainSummary({ phases: [], failure: { ...failure, ...more } }).split('\n')[0]
  assert.equal(headingOf({}), '### ❌ Failed: nothing was published')
  assert.equal(headingOf({ phase: 'push' }), '### ❌ Could not push')
  assert.equal(headingOf({ phase: 'test' }), '### ❌ The test failed: nothing was published')
  assert.equal(headingOf({ cancelled: true, phase: 'build' }), '### 🚫 Cancelled: nothing was published')
  assert.equal(headingOf({ cancelled: true, phase: 'push' }), '### 🚫 Cancelled')
})

test('the test that the image passed is told, as it was written', () => {
  const lines = ['a --version', 'b | c', ...Array.from({ length: 20 }, () => 'd')]
  const tested = { with: 'podman', id: 'sha256:1', seconds: 3.14, lines } as const
  const more = Array.from({ length: 8 }, () => '<code>d</code>').join(', ')
  assert.ok(
    mainSummary({ ...report, tested }).includes(
      `| Tested | with podman in 3.1 s: <code>a --version</code>, <code>b \\| c</code>, ${more} and 12 more |`,
    ),
  )
})

test('what was verified and what was trusted: at a glance, and in full', () => {
  const trust: NonNullable<Report['trust']> = {
    paths: [
      { from: 'https://a.example', by: 'signature', key: 'a-1', paths: 1200 },
      { from: 'cache', by: 'signature', key: 'a-1', paths: 30 },
      { from: 'cache', by: 'content', paths: 4 },
      { from: 'cache', by: 'nothing', paths: 5 },
      { from: 'https://b.example', by: 'nothing', paths: 1 },
    ],
    keys: ['a-1', 'c-1'],
    ...{ locked: 3, unlocked: 1 },
    pure: false,
    bases: [
      {
        reference: `debian@sha256:${'d'.repeat(64)}`,
        hash: { algorithm: 'r:sha256', hash: 'ff' },
        ...{ drvPath: '/d', path: '/p' },
      },
    ],
    downloads: 2,
    machines: [{ machine: 'ssh-ng://b', builds: 7 }],
  }
  const sha256 = 'e'.repeat(64)
  const [glance = '', full = ''] = mainSummary({
    ...report,
    trust,
    nix: { ...nix, release: { sha256, pinned: true } },
  }).split('<details>')
  const a = '<code>a-1</code>'
  assert.ok(
    glance.includes(
      '| Trust | **verified**: 3 flake inputs, 1 base image, 2 downloads, 1,234 paths; **taken on trust**: 1 unpinned flake, evaluation by looser settings, 5 paths from the store cache, 1 path from <code>https://b.example</code>, 7 builds of <code>ssh-ng://b</code> |',
    ),
    glance,
  )
  for (const row of [
    `| Nix 2.34.8 | <code>sha256:${sha256}</code>, which this action pins |`,
    `| 1,200 paths from <code>https://a.example</code> | the signature of ${a} |`,
    `| 30 paths from the store cache | the signature of ${a} |`,
    '| 5 paths from the store cache | jobs of this repository, which saved them and their hashes |',
    '| base image <code>debian</code> | its hash in the flake: <code>sha256:ff</code> |',
    `| the digest of <code>debian</code> | the flake, <code>sha256:${'d'.repeat(64)}</code>: it is a name, and the hash is what was compared |`,
    `| signatures | whoever holds the keys that Nix’s settings name: ${a}, <code>c-1</code> |`,
  ])
    assert.ok(full.includes(row), full)
})

test('a Nix that was there, a remembered image: whose word it is', () => {
  const trustedIn = (one: Report) =>
    [...mainSummary(one).matchAll(/^\| (?:Taken on trust|Nix 2|that the image).* \|$/gm)].map(([row]) => row)
  assert.deepEqual(trustedIn({ ...report, nix: { ...nix, from: 'present', how: 'found' } }), [
    '| Taken on trust | On whose word |',
    '| Nix 2.34.8 of this machine, and what was in its store | this machine |',
  ])
  const known = (by: 'source' | 'output' | 'job') => ({
    ...unbuilt,
    push: { ...pushed, images: pushed.images.map(image => ({ ...image, known: by })) },
  })
  const said = 'an earlier job of this repository, by its record in the store cache'
  assert.deepEqual(trustedIn(known('source')), [
    '| Taken on trust | On whose word |',
    `| that the image of this commit is the published one | ${said} |`,
  ])
  assert.match(
    trustedIn(known('output'))[1] ?? '',
    /the store path is the published one .*; whoever may push to the package/,
  )
  assert.deepEqual(trustedIn(known('job')), [])
  const recalled = pushed.images.map(image => ({
    ...image,
    layers: image.layers.map(layer =>
      layer.how === 'present' ? { ...layer, recalled: true as const } : layer,
    ),
  }))
  assert.match(
    mainSummary({ ...unbuilt, push: { ...pushed, images: recalled } }),
    /\| 1 layer not made again \| an earlier job of this repository, .*; whoever may push/,
  )
})

test('whatever a failure or a name holds, it stays text in its block, and every table keeps its columns', () => {
  fc.assert(
    fc.property(hostile(3000), hostile(40), (text, name) => {
      const markdown = mainSummary({
        ...report,
        failure: { message: text, advice: text, detail: text, phase: name },
        build: { ...built, builds: [{ name, seconds: 1 }], failed: [name], outPaths: [name] },
        trust: {
          paths: [{ from: name, by: 'signature', key: text, paths: 1 }],
          keys: [name],
          ...{ locked: 1, unlocked: 1 },
          pure: true,
          bases: [{ reference: name, hash: { algorithm: text, hash: name }, drvPath: name, path: name }],
          downloads: 0,
          machines: [{ machine: name, builds: 1 }],
        },
        tested: { with: 'docker', id: name, seconds: 1, lines: [name, text] },
        nix: { ...nix, version: name, phases: [1, 2].map(seconds => ({ name, start: 0, seconds })) },
        phases: [{ name, start: 0, seconds: 1 }],
      })
      assert.ok(Buffer.byteLength(markdown) < 1024 ** 2)
      const blocks = outline(markdown)
      assert.deepEqual(
        blocks.filter(kind => !kind.startsWith('quote')),
        [
          'heading',
          'paragraph',
          'code',
          'code',
          'table of 2',
          'code',
          'details',
          'table of 2',
          'table of 2',
          'table of 1',
          'table of 2',
          'table of 2',
          'end of details',
        ],
        markdown,
      )
    }),
  )
})

test('of several platforms the summary says which are there, whose they are, and for which it waits', () => {
  const [image] = pushed.images
  assert.ok(image)
  const arm = { ...image, platform: 'linux/arm64', changed: false, known: 'job' as const }
  const waits = mainSummary({
    ...report,
    push: { ...pushed, tags: [], tagged: [], waiting: ['linux/arm64', 'linux/arm/v7'] },
  })
  assert.match(waits, /^### ⏳ Pushed for <code>linux\/amd64<\/code>: <code>ghcr\.io\/o\/r<\/code>$/m)
  assert.match(waits, /\| Waiting \| for <code>linux\/arm64<\/code>, <code>linux\/arm\/v7<\/code>: the job/)
  assert.doesNotMatch(waits, /\| Tags \|/)

  const index = { ...pushed, platforms: ['linux/amd64', 'linux/arm64'], images: [image, arm] }
  const both = mainSummary({ ...report, push: index })
  assert.match(both, /\| Platforms \| <code>linux\/amd64<\/code>, <code>linux\/arm64<\/code> \|/)
  assert.match(both, /\| Pushed by other jobs \| <code>linux\/arm64<\/code> \|/)
  assert.match(both, /1000 B sent of 2\.9 KiB; 2 layers: 1 uploaded, 1 already there/, 'those of this job')
  assert.match(both, /\| Platform \| Digest \|.*\n.*\n\| <code>linux\/amd64<\/code> \| <code>sha256:a{64}</)
  assert.equal(outputsOf({ ...report, push: index }).get('platforms'), 'linux/amd64,linux/arm64')
  assert.equal(outputsOf({ ...report, push: index }).get('size'), '6000')

  const known = [
    { ...image, known: 'source' as const },
    { ...image, platform: 'linux/386', known: 'output' as const },
  ]
  const unchanged = mainSummary({ ...report, push: { ...index, images: known, changed: false, tagged: [] } })
  assert.match(unchanged, /\| Not built \| <code>linux\/amd64<\/code>: this commit was published before \|/)
  assert.match(unchanged, /\| Not built \| <code>linux\/386<\/code>: its store path was published before \|/)
  const same = { ...index, images: known.map(image => ({ ...image, known: 'source' as const })) }
  assert.match(mainSummary({ ...report, push: same }), /\| Not built \| this commit was published before \|/)
})

test('a summary stays small whatever the run was like', () => {
  const long = '`<'.repeat(1_000_000)
  const names = Array.from({ length: 20_000 }, (_, index) => `${index}-${'x'.repeat(500)}`)
  const lines = Array.from({ length: 100_000 }, () => long.slice(0, 1000)).join('\n')
  const text = mainSummary({
    ...report,
    build: { ...built, builds: names.map(name => ({ name, seconds: 1 })), failed: names },
    tested: { with: 'docker', id: '', seconds: 1, lines: names.map(() => long) },
    push: {
      ...pushed,
      tags: names,
      images: pushed.images.map(image => ({
        ...image,
        layers: names.map(digest => ({ digest, size: 1, how: 'uploaded' as const })),
      })),
    },
    failure: { message: long, advice: long, detail: lines },
  })
  assert.ok(Buffer.byteLength(text) < 128 * 1024, `${Buffer.byteLength(text)}`)
  const post = postSummary({ ...saved, why: long, reasons: names.map(() => long) }, time)
  assert.ok(Buffer.byteLength(post) < 512 * 1024, `${Buffer.byteLength(post)}`)
})

test('a hit is a run that built nothing, wherever the rest came from', () => {
  const cache = { status: 'opened', index: emptyIndex } as const
  const status = (builds: number, ours: number, upstream: number) =>
    cacheStatus(cache, {
      ...{ outPaths: [], failed: [], substituted: { cache: ours, upstream, bytes: 0 } },
      builds: Array.from({ length: builds }, () => ({ name: 'x', seconds: 1 })),
    })
  assert.deepEqual(
    [status(0, 3, 2), status(0, 0, 0), status(0, 0, 2), status(1, 3, 0), status(1, 0, 2)],
    ['hit', 'hit', 'miss', 'partial', 'miss'],
  )
  const off = { ...cache, status: 'off' } as const
  assert.equal(cacheStatus(off, { ...built, builds: [] }), 'off')
})

test('outputs are those that are known', () => {
  assert.equal(outputsOf(report).get('image'), `ghcr.io/o/r@sha256:${'a'.repeat(64)}`)
  assert.equal(outputsOf(report).get('tags'), 'ghcr.io/o/r:main\nghcr.io/o/r:v1')
  assert.deepEqual([...outputsOf({ phases: [] }).keys()], ['metadata'])
  const { metadata = '', ...others } = Object.fromEntries(outputsOf(report))
  assert.deepEqual(JSON.parse(metadata), { ...others, details: report })
})

const none = { paths: 0, bytes: 0 }
const time = { phases: [{ name: 'save the cache', start: 0.1, seconds: 2 }], seconds: 2.5 }
const saved: SaveReport = {
  outcome: 'saved',
  before: { paths: 1, bytes: 1014 },
  after: { paths: 3, bytes: 1024 },
  added: { paths: 2, bytes: 10 },
  dropped: none,
  uploaded: 10,
  limit: 2048,
  reasons: ['What this run used is more than `cache-size`.', '<b>gone</b>'],
  calls: 3,
}

test('post says what the cache holds, gained and lost, against its bound, why, and what it took', () => {
  const text = postSummary(saved, time)
  assert.match(text, /^#### Store cache: saved\n/)
  assert.match(text, /\n\n<code>█{10}░{10}<\/code> 3 paths, 1\.0 KiB of 2\.0 KiB\n\n/)
  assert.match(
    text,
    /\n\| Added \| Uploaded \| Time \|\n.*\n\| \+2 paths, 10 B \| 10 B \| 2\.5 s \(save the cache 2\.0 s\) \|\n/,
  )
  assert.match(text, /\n\n- What this run used is more than <code>cache-size<\/code>\.\n- &lt;b&gt;gone/)
})

test('post says what the cache is made of and what was tidied up, where that is known', () => {
  const held = { built: { paths: 20, bytes: 9 }, source: { paths: 5, bytes: 1 }, upstream: none }
  const more = { held, repacked: { packs: 1, bytes: 2048 }, deleted: { entries: 1, bytes: 1024 } }
  const text = postSummary({ ...saved, ...more }, time)
  assert.match(
    text,
    /> 3 paths, 1\.0 KiB of 2\.0 KiB: 20 built by jobs of this repository, 5 sources of builds\n/,
  )
  assert.match(text, /Packed anew \| Deleted \| Time \|\n.*\| 2\.0 KiB \| 1 old entry, 1\.0 KiB \| 2\.5 s/s)
  assert.doesNotMatch(postSummary(saved, time), /undefined|Packed|Deleted|:\s*\|/)
  const tidied = { ...saved, added: none, uploaded: 0, deleted: more.deleted }
  assert.match(postSummary(tidied, time), /saved\n[\s\S]*Deleted/, 'not nothing')
})

test('a post that did nothing is one line', () => {
  const idle = { ...saved, added: none, uploaded: 0, reasons: [] }
  const lines = (one: SaveReport) => postSummary(one, time).split('\n\n')
  assert.deepEqual(lines({ ...idle, outcome: 'unchanged' }), [
    '#### Store cache: nothing new, nothing uploaded',
    `<code>${'█'.repeat(10)}${'░'.repeat(10)}</code> 3 paths, 1.0 KiB of 2.0 KiB. Time: 2.5 s (save the cache 2.0 s)`,
  ])
  assert.deepEqual(lines({ ...idle, after: none }), [
    '#### Store cache: nothing to add',
    'Time: 2.5 s (save the cache 2.0 s)',
  ])
  const failed = { ...idle, outcome: 'failed', why: 'no <b>disk</b>', after: none } as const
  assert.deepEqual(lines(failed).slice(0, 2), ['#### Store cache: not saved', 'no &lt;b&gt;disk&lt;/b&gt;'])
})

test('whatever the cache service says, it stays text in post’s summary', () => {
  fc.assert(
    fc.property(hostile(50), why => {
      const reasons = [why, why]
      const kinds = outline(postSummary({ ...saved, why, reasons }, time))
      // Of nothing but white space no paragraph is made.
      assert.deepEqual(
        kinds.filter(kind => kind !== 'paragraph'),
        ['heading', 'table of 3', 'list'],
      )
    }),
    { numRuns: 1000 },
  )
})

test('an image that would not work is not one that could not be inspected', () => {
  const finding = {
    rule: 'command',
    place: 'Cmd',
    why: 'it is <missing>',
    fix: 'add it',
    platform: 'linux/386',
  } as const
  const failure = { message: 'no', advice: undefined, detail: undefined, phase: 'inspect' }
  const summary = (severity: 'error' | 'warning' | 'hint') =>
    mainSummary({
      phases: [],
      failure,
      check: { findings: [{ ...finding, severity }], ignored: [], uninspected: [] },
    })
  assert.match(
    summary('error'),
    /^### ❌ The image would not work: nothing was published\n[\s\S]*\| ❌ <code>command<\/code> \| <code>Cmd<\/code> \| it is &lt;missing&gt; \| add it \|/,
  )
  assert.match(summary('warning'), /^### ❌ Could not inspect: [\s\S]*⚠️[\s\S]*\| This run \|/)
  assert.doesNotMatch(summary('warning'), /<details>/)
  assert.match(summary('hint'), /\| Inspection \| 1 hint \|[\s\S]*<details>[\s\S]*💡/, 'folded')
})

test('who signed is said once, what an earlier run signed apart', () => {
  const by = 'https://github.com/o/r/.github/workflows/w.yml@refs/heads/main'
  const claims = [
    { what: 'provenance', by, added: true },
    { what: 'signature', by, added: true },
    { what: 'signature in a tag', by: 'key sha256:1', added: false },
  ] as const
  assert.match(
    mainSummary({ ...report, attested: { digest: 'sha256:1', claims } }),
    /\| Signed \| provenance and image by <code>https:.*<\/code> \|\n\| Signed \| image \(in a tag\) by <code>key sha256:1<\/code>, in an earlier run \|/,
  )
})

test('an image that could not be inspected is none that is well', () => {
  const check = { findings: [], ignored: [], uninspected: ['linux/arm64'] }
  assert.match(
    mainSummary({ phases: [], check }),
    /\| Inspection \| \*\*not inspected\*\*: <code>linux\/arm64<\/code>/,
  )
  assert.match(mainSummary({ phases: [], check: { ...check, uninspected: [] } }), /no findings/)
})

test('SBOMs are named in outputs and summary, one of CycloneDX for each platform', () => {
  const sbom = ['amd64', 'arm64'].map(name => ({
    platform: `linux/${name}`,
    files: [`/tmp/${name}.cdx.json`, `/tmp/${name}.spdx.json`],
  }))
  assert.equal(outputsOf({ ...report, sbom }).get('sbom'), '/tmp/amd64.cdx.json\n/tmp/arm64.cdx.json')
  assert.equal(outputsOf(report).has('sbom'), false)
  assert.match(
    mainSummary({ ...report, sbom }),
    /\| SBOM \| (<code>(amd64|arm64)\.(cdx|spdx)\.json<\/code> ?){4} \|/,
  )
  const shown = (attached: NonNullable<Report['sbom']>[number]['attached'] & {}) =>
    mainSummary({ ...report, sbom: [{ platform: 'linux/arm64', files: ['/a'], attached }] })
  assert.match(
    shown({ by: 'https://w', added: true }),
    /beside the image, attested by <code>https:\/\/w<\/code> \|/,
  )
  assert.match(shown({ by: undefined, added: false }), /beside the image, unsigned, from an earlier run \|/)
})
