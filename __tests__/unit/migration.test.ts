import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { inputNames } from '../../src/inputs/model.ts'

const docs = readFileSync(new URL('../../docs/migration.md', import.meta.url), 'utf8')
const recorded = readFileSync(new URL('../fixtures/migration/inputs.json', import.meta.url), 'utf8')

/** Rows of the table under a heading: the input, and what is said of it. */
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
    assert.deepEqual(said.map(([name = '']) => name.trim().replaceAll('`', '')).sort(), inputs.toSorted())
    for (const [input, here = ''] of said) {
      const named = [...here.matchAll(/`([\w-]+)(?:: [^`]+)?`/g)].map(([, name = '']) => name)
      const isOurs = named.some(name => inputNames.some(ours => ours === name))
      assert.ok(isOurs || /not (needed|there|an input)|inputs of the flake/.test(here), `${input}: ${here}`)
    }
  })
}
