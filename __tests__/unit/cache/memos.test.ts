import assert from 'node:assert/strict'
import { test } from 'node:test'
import { refreshMemo } from '../../../src/cache/memos.ts'
import { sha256 } from '../../../src/util/digest.ts'
import { now } from './sample.ts'

const day = 24 * 60 * 60
const layer = { diffId: sha256('b'), digest: sha256('a'), size: 3, repository: 'example.org/app' }

test('what was seen is remembered as used now, and worth saving when it is news', () => {
  const known = new Map([
    ['young', { ...layer, lastUse: now - 10 }],
    ['old', { ...layer, lastUse: now - day }],
  ])
  const see = (key: string, digest = layer.digest) =>
    refreshMemo(known, new Map([[key, { ...layer, digest }]]), now)
  assert.equal(see('young').learned, false)
  assert.deepEqual(see('young').memo.get('young'), { ...layer, lastUse: now })
  assert.equal(see('old').learned, true)
  assert.equal(see('new').learned, true)
  assert.equal(see('new').memo.size, 3)
  assert.equal(see('young', sha256('b')).learned, true)
  assert.deepEqual(refreshMemo(known, new Map(), now), { memo: known, learned: false })
})

test('of too many, those that were unused for longest are forgotten', () => {
  const many = Array.from({ length: 5000 }, (_, at) => [`${at}`, { ...layer, lastUse: at }] as const)
  const { memo } = refreshMemo(new Map(many), new Map([['new', layer]]), now)
  assert.equal(memo.size, 5000)
  assert.deepEqual([memo.has('new'), memo.has('0'), memo.has('1')], [true, false, true])
})
