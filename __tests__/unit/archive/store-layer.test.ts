import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { archiveStoreLayer, sizeOfStoreLayer } from '../../../src/image/archive/store-layer.ts'
import { storeCases } from '../../fixtures/trees/cases.ts'
import { type Golden, goldenFile, headOf, sumOf } from '../../fixtures/trees/golden.ts'
import { temporaryTree } from '../../fixtures/trees/trees.ts'

const golden: Golden = JSON.parse(readFileSync(goldenFile, 'utf8'))

test('every recorded archive has its case', () => {
  assert.deepEqual(Object.keys(golden.stream), Object.keys(storeCases))
})

for (const [name, { tree, layer }] of Object.entries(storeCases))
  test(`a layer is what streamLayeredImage writes: ${name}`, async () => {
    await using planted = await temporaryTree(tree)
    const expected = golden.stream[name]
    assert.equal(sizeOfStoreLayer(layer, planted.root), expected?.size)
    if (expected?.head !== undefined) {
      assert.equal(headOf(archiveStoreLayer(layer, planted.root)), expected.head)
      return
    }
    // All chunks first, since each has to stay as it is.
    const chunks = [...archiveStoreLayer(layer, planted.root)]
    assert.deepEqual(sumOf(chunks), expected)
    assert.ok(chunks.every(chunk => chunk.length <= 1024 * 1024))
  })
