import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { types } from '../../../src/metadata/rules.ts'
import { differences } from '../../fixtures/metadata/differences.ts'

const docs = readFileSync(new URL('../../../docs/tags.md', import.meta.url), 'utf8')
const golden = readFileSync(new URL('../../fixtures/metadata/golden.json', import.meta.url), 'utf8')

/** Cells of the rows of the table that begins with a heading. */
function table(heading: string): string[][] {
  const rows =
    docs
      .slice(docs.indexOf(`\n| ${heading} `))
      .split('\n\n')[0]
      ?.trim()
      .split('\n')
      .slice(2) ?? []
  return rows.map(row =>
    row
      .split('|')
      .slice(1, -1)
      .map(cell => cell.trim()),
  )
}

test('docs/tags.md lists the differences that the tests know, and no others', () => {
  assert.deepEqual(
    table('what').map(([title]) => title),
    differences.map(({ title }) => title),
  )
  const { version } = JSON.parse(golden) as { version: string }
  assert.ok(docs.includes(`Beside docker/metadata-action ${version}:`))
})

test('docs/tags.md has every type with its priority and its attributes', () => {
  const named = Object.entries(types).map(([name, { priority, attributes }]) => [
    name,
    priority,
    [...attributes],
  ])
  const told = table('type').map(([name = '', priority, , attributes = '']) => [
    ...[name.replaceAll('`', ''), Number(priority)],
    [...(attributes.split(/[:;]/)[0]?.matchAll(/(?:^|, )`(\w+)`/g) ?? [])].map(([, attribute]) => attribute),
  ])
  assert.deepEqual(told, named)
})
