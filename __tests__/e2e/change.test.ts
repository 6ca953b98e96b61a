import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changeApp } from '../harness/change.ts'
import { World } from '../harness/world.ts'

test('a changed source rebuilds only what depends on it, and uploads only what changed', async () => {
  await using world = await World.create({ template: 'redis', keptNix: true })
  const before = await world.run()
  assert.equal(before.main.code, 0, before.main.log)

  world.registry.forget()
  world.cache.forget()
  const after = await world.run({ change: changeApp })
  assert.equal(after.main.code, 0, after.main.log)
  const { build, push } = JSON.parse(after.main.outputs.metadata ?? '').details

  const names = build.builds.map(({ name }: { name: string }) => name).sort()
  assert.deepEqual(names, ['app', 'redis-conf.json'])
  assert.equal(after.main.outputs.changed, 'true')
  assert.equal(after.main.outputs.cache, 'partial')
  assert.notEqual(after.main.outputs.digest, before.main.outputs.digest)
  const uploaded = push.images[0].layers.filter((layer: { how: string }) => layer.how === 'uploaded')
  assert.equal(uploaded.length, 1, 'the layer of the app alone')
  // The layer and the config.
  assert.equal(world.registry.count({ method: 'PUT', path: /\/blobs\/uploads\// }), 2)
  // One new pack and one new index.
  assert.equal(world.cache.counts().total.calls <= 25, true)
  assert.equal(world.cache.calls.filter(({ method }) => method === 'CreateCacheEntry').length, 2)
})
