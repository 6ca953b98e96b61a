import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { browserUnavailable } from '../harness/page/browser.ts'
import { lookAt, render } from '../harness/page/page.ts'
import { hostileNames, summaries } from '../harness/page/summaries.ts'

/** As wide as GitHub's page gets, and a phone. */
const widths = [1012, 390]

type Kind = keyof typeof summaries
const kinds = Object.keys(summaries) as Kind[]

test('GitHub takes nothing out of a summary', () => {
  for (const kind of kinds) {
    const { shown, meant } = render(summaries[kind])
    assert.equal(shown, meant, kind)
  }
  const { shown, meant } = render('<b onclick="x()">b</b><style>b { }</style>')
  assert.notEqual(shown, meant, 'what it would take out is seen')
})

suite('summaries in a browser', { skip: browserUnavailable() ?? false }, async () => {
  const seen = new Map(
    (await lookAt(Object.values(summaries), widths)).map((pages, index) => [kinds[index], pages]),
  )
  const each = kinds.flatMap(kind => (seen.get(kind) ?? []).map(page => ({ kind, page })))
  const wide = (kind: Kind) => seen.get(kind)?.[0] ?? assert.fail(kind)
  const rows = (kind: Kind) => wide(kind).tables.find(([head]) => head?.[0] === 'This run') ?? []
  const row = (kind: Kind, name: string) => rows(kind).find(([first]) => first === name)?.[1] ?? ''

  test('nothing is wider than the page, on a desk or on a phone', () => {
    assert.equal(each.length, kinds.length * widths.length)
    for (const { kind, page } of each) {
      assert.ok(widths.includes(page.width))
      assert.equal(page.contentWidth, page.width, `${kind} in ${page.width}`)
      if (page.width === widths[0]) assert.deepEqual(page.scrolling, [], kind)
    }
  })

  test('what a run did is seen without much scrolling', () => {
    for (const kind of kinds)
      if (kind !== 'hostile') assert.ok(wide(kind).height < 1200, `${kind}: ${wide(kind).height}`)
    for (const kind of ['unchanged', 'warm'] as const)
      assert.ok(wide(kind).height < 700, `${kind}: ${wide(kind).height}`)
  })

  test('all markup became what it stands for', () => {
    for (const { kind, page } of each) {
      if (kind === 'hostile') continue
      assert.doesNotMatch(page.text, /[|`]|\*\*|<\/?[a-z]|&\w+;|^#/m, kind)
      for (const table of page.tables)
        for (const cells of table) assert.equal(cells.length, table[0]?.length, `${kind}: ${cells}`)
    }
  })

  test('headings say how the run ended, and what became of the cache', () => {
    const name = 'ghcr.io/octo-org/weather-server'
    const cache = ['Store cache: saved', 'Store cache: nothing new, nothing uploaded'] as const
    const expected: Readonly<Record<Kind, readonly string[]>> = {
      published: [`📦 Published: ${name}`, cache[0]],
      unchanged: [`🏷️ Unchanged image, 1 tag set: ${name}`, cache[1]],
      failed: ['❌ Could not build: nothing was published', cache[0]],
      broken: ['❌ The image would not work: nothing was published', cache[1]],
      waiting: [`⏳ Pushed for linux/amd64: ${name}`, cache[0]],
      warm: ['✅ The store cache is warm: what was asked for is built', cache[0]],
      hostile: [`❌ Could not ${hostileNames[2]}`],
    }
    for (const { kind, page } of each) assert.deepEqual(page.headings, expected[kind])
  })

  test('what was published is first; what it cost and what was reused is drawn', () => {
    assert.match(wide('published').codeBlocks[0] ?? '', /^docker pull ghcr\.io\S+@sha256:[0-9a-f]{64}\n$/)
    assert.equal(row('published', 'Tags'), '1.4.2 1.4 latest')
    assert.match(row('published', 'Layers'), /^█▒{3}░{16} 8\.6 MiB sent of 125 MiB; 12 layers: 4 up/)
    assert.match(row('published', 'Cache'), /^partial; it held 1,284 paths, █{8}░{12} 1\.6 GiB of 4\.0 GiB/)
    assert.match(row('unchanged', 'Layers'), /^░{20} 0 B sent of 125 MiB; 12 layers: all already there$/)
    assert.match(row('waiting', 'Waiting'), /^for linux\/arm64: /)
    assert.deepEqual(wide('published').folded, ['Details'])
    assert.deepEqual(wide('published').tables.at(-1)?.[0], [
      'Added',
      'Dropped',
      'Uploaded',
      'Deleted',
      'Time',
    ])
  })

  test('the timeline is a drawing: its characters are all of one width', () => {
    for (const { page } of each) {
      const [letter, ...drawn] = Object.values(page.glyphs)
      assert.ok(letter !== undefined && letter > 5)
      for (const width of drawn) assert.equal(width, letter, JSON.stringify(page.glyphs))
    }
    const chart = wide('failed').codeBlocks.at(-1) ?? ''
    assert.equal(chart.split('\n').length, 7)
    assert.match(chart, /\nbuild +1 min 35 s {2} +[▐█]█+▌? failed\n$/)
  })

  test('whatever a name holds is read as it is written, in one cell', () => {
    const { tables, codeBlocks } = wide('hostile')
    assert.equal(row('hostile', 'Failed'), hostileNames.join(' '))
    assert.equal(codeBlocks[0], `${hostileNames.join('\n')}\n`)
    const slowest = tables.find(([head]) => head?.[0] === 'Slowest derivations') ?? []
    assert.deepEqual(
      slowest.slice(1).map(([name]) => name),
      hostileNames,
    )
    assert.deepEqual(wide('hostile').folded, ['Details'])
  })
})
