import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pullRequest, pushToBranch } from '../harness/runner/events.ts'
import { repositoryName, World } from '../harness/world.ts'

const origin = { repository: repositoryName }
const main = 'refs/heads/main'

test('branches and pull requests start from the default branch, and old entries are asked for where something was saved', async () => {
  await using world = await World.create({ template: 'busybox', keptNix: true })
  const options = { with: { image: '.#image-stream', push: 'false' } }
  const first = await world.run(options)
  assert.equal(first.main.code, 0, first.main.log)
  const indexes = () => world.cache.entries().filter(({ key }) => key.startsWith('nia1-index-'))
  assert.equal(indexes().length, 1)
  assert.equal(world.cache.counts().ListCaches.calls, 2)
  assert.doesNotMatch(first.post.log, /Old entries/)
  for (const event of [pushToBranch(origin, 'other'), pullRequest(origin, { number: 7, head: 'other' })]) {
    world.cache.forget()
    const { main: step, post } = await world.run({ ...options, event, cache: { read: [main] } })
    assert.equal(step.code, 0, step.log)
    assert.equal(step.outputs.cache, 'hit', event.ref)
    assert.deepEqual([...step.warnings, ...post.warnings], [])
    const { ListCaches, CreateCacheEntry, total } = world.cache.counts()
    assert.deepEqual([ListCaches.calls, CreateCacheEntry.calls], [0, 0], 'nothing was new')
    assert.ok(total.calls <= 25)
  }
  assert.deepEqual(
    indexes().map(({ scope }) => scope),
    [main],
  )
})
