import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parse } from 'yaml'
import { inputNames } from '../../src/inputs/model.ts'

const docs = readFileSync(new URL('../../docs/migration.md', import.meta.url), 'utf8')
const { outputs } = parse(readFileSync(new URL('../../action.yml', import.meta.url), 'utf8'))
const recorded = readFileSync(new URL('../fixtures/migration/inputs.json', import.meta.url), 'utf8')

/** What a cell names, one or more that have the same answer. */
const namesIn = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)

/** Rows of the table under a heading, as cells: names first, what is said of them last. */
function rows(heading: string): string[][] {
  const [, text = ''] = docs.split(`\n## ${heading}\n`)
  const table =
    text
      .split('\n## ')[0]
      ?.match(/^\|.*\|$/gm)
      ?.slice(2) ?? []
  return table.map(row => row.split('|').slice(1, -1))
}

for (const [action, { version, inputs }] of Object.entries<{ version: string; inputs: string[] }>(
  JSON.parse(recorded),
)) {
  test(`docs/migration.md says of each input of ${action} what became of it`, () => {
    const said = rows(`${action} ${version}`)
    assert.deepEqual(said.flatMap(([names = '']) => namesIn(names)).sort(), inputs.toSorted())
    for (const [input, here = ''] of said) {
      const named = [...here.matchAll(/`([\w-]+)(?:: [^`]+)?`/g)].map(([, name = '']) => name)
      const isOurs = named.some(name => inputNames.some(ours => ours === name))
      assert.ok(isOurs || /not (needed|there|an input)|inputs of the flake/.test(here), `${input}: ${here}`)
    }
  })
}

test('docs/migration.md answers each output that people read with one of ours, or that it is not there', () => {
  const said = rows('Outputs')
  assert.ok(said.length > 5)
  for (const [, names = '', here = ''] of said) {
    assert.ok(namesIn(names).length > 0, here)
    // What is said first is the output to read.
    const [, ours] = here.match(/^ `([\w-]+)`/) ?? []
    assert.ok(/^ not there\b/.test(here) || (ours !== undefined && Object.hasOwn(outputs, ours)), here)
  }
})
