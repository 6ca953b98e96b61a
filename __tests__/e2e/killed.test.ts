import assert from 'node:assert/strict'
import { test } from 'node:test'
import { byNight } from '../harness/thorough.ts'
import { World } from '../harness/world.ts'

/** Where a save can be cut: before anything is there, within a pack, between the packs and the index. */
const moments = [
  { title: 'while a pack is uploaded', target: { method: 'UploadBlob', key: 'nia1-pack-' } },
  { title: 'after the packs, before the index', target: { method: 'CreateCacheEntry', key: 'nia1-index-' } },
  {
    title: 'after the index was reserved, before it is whole',
    target: { method: 'UploadBlob', key: 'nia1-index-' },
  },
] as const

for (const [place, { title, target }] of moments.entries()) {
  const skip = place === 2 && byNight
  test(`a job killed ${title} leaves the next run working`, { skip }, async () => {
    await using world = await World.create({ template: 'busybox', keptNix: true })
    // Not pushed: what is published would be known, and not built again.
    const options = { with: { image: '.#image-stream', push: 'false' } }
    {
      const hold = world.cache.hold(target)
      await using prepared = await world.prepare(options)
      assert.equal((await prepared.main()).code, 0)
      const ending = prepared.post().catch(() => undefined)
      await hold.reached
      // The machine is lost with everything in it.
      await prepared.machine.dispose()
      hold.drop()
      await ending
    }
    const next = await world.run(options)
    assert.equal(next.main.code, 0, next.main.log)
    assert.equal(next.post.code, 0, next.post.log)
    assert.deepEqual([...next.main.warnings, ...next.post.warnings], [])
    const third = await world.run(options)
    assert.equal(third.main.code, 0, third.main.log)
    assert.equal(third.main.outputs.cache, 'hit', third.post.log + next.post.log)
  })
}
