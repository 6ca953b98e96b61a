import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { ruleNames } from '../../../src/check/names.ts'

test('docs/inspection.md has every rule once, and no others', () => {
  const docs = readFileSync(new URL('../../../docs/inspection.md', import.meta.url), 'utf8')
  const cells = [...docs.matchAll(/^\| (`.*?) \| (?:error|warning|hint)/gm)].map(([, cell = '']) => cell)
  const told = cells.flatMap(cell => [...cell.matchAll(/`([a-z-]+)`/g)].map(([, name]) => name))
  assert.deepEqual(told.sort(), [...ruleNames].sort())
})
