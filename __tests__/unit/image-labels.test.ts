import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withLabels } from '../../src/image/labels.ts'
import type { Image } from '../../src/image/model.ts'
import { UserError } from '../../src/util/errors.ts'

function imageOf(config: string): Image {
  return Object.freeze({
    ...{ kind: 'stream', layers: [], platform: { os: 'linux', architecture: 'amd64' } },
    config: (diffIds: readonly string[]) => Buffer.from(config.replace('@DIFF@', diffIds.join())),
    close: async () => {},
  })
}

test('without labels an image is the one that it was', () => {
  const image = imageOf('{}')
  assert.equal(withLabels(image, {}), image)
})

test('labels are put beside those that there are, and all else says what it said', () => {
  const config = `{"created": "x", "9": 12345678901234567890, "1": 1.50,
    "config": {"Env": ["A=ä"], "Labels": {"b": "old", "10": "ten", "a": "keep"}, "Memory": 9007199254740993},
    "rootfs": {"diff_ids": ["@DIFF@"]}}`
  const image = withLabels(imageOf(config), { b: 'new', c: 'ü "<>' })
  const written = image.config(['sha256:1']).toString()
  assert.deepEqual(JSON.parse(written).config, {
    ...{ Env: ['A=ä'], Labels: { '10': 'ten', a: 'keep', b: 'new', c: 'ü "<>' } },
    Memory: 9007199254740992,
  })
  for (const part of ['12345678901234567890', '9007199254740993', '"sha256:1"'])
    assert.ok(written.includes(part), part)
  const order = ['created', '9', '1', 'Env', 'b', '10', 'a', 'c', 'Memory', 'rootfs'].map(key =>
    written.indexOf(`"${key}":`),
  )
  assert.deepEqual(
    order,
    order.toSorted((a, b) => a - b),
  )
})

test('a config that has no settings gets them', () => {
  for (const config of [
    '{"os":"linux"}',
    '{"os":"linux","config":null}',
    '{"os":"linux","config":{"Labels":null}}',
  ]) {
    const { config: settings, os } = JSON.parse(withLabels(imageOf(config), { a: 'b' }).config([]).toString())
    assert.deepEqual([os, settings], ['linux', { Labels: { a: 'b' } }])
  }
})

test('a config that is not one is an error in words', () => {
  for (const config of [
    '[]',
    '1',
    '{"config":[]}',
    '{"config":{"Labels":"x"}}',
    '{',
    `{"config":${'['.repeat(20_000)}`,
  ])
    assert.throws(() => withLabels(imageOf(config), { a: 'b' }).config([]), UserError, config.slice(0, 30))
})
