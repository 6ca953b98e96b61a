import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readableLog, readableSummary } from '../../script/terminal.ts'
import { code, details, table } from '../../src/util/markdown.ts'

test("a log's groups have a title each, and no end", () => {
  const log = 'before\n##[group]Build .#image\nbuilding app\n##[endgroup]\nafter ##[group]\n##[endgroup]\n'
  assert.equal(readableLog(log), 'before\n▸ Build .#image\nbuilding app\nafter ##[group]')
  assert.equal(readableLog('\n'), '')
})

test('a summary is without HTML, and what looks like it in a text stays', () => {
  const row = [code('main'), code('<code>')]
  const markdown = `${details('Details', table(['Tags', 'Odd'], [row]))}\n\n#### Store cache`
  assert.equal(
    readableSummary(markdown),
    '▸ Details\n\n| Tags | Odd |\n| :-- | :-- |\n| main | &lt;code&gt; |\n\n#### Store cache',
  )
})
