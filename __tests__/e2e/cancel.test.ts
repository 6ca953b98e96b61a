import assert from 'node:assert/strict'
import { test } from 'node:test'
import { actionFolder, World } from '../harness/world.ts'

test('a job that is cancelled in a build: said in words, nothing runs on, what was built is saved', async () => {
  await using world = await World.create({ template: 'busybox', keptNix: true })
  await using prepared = await world.prepare()
  const building = Promise.withResolvers<void>()
  const step = await prepared.job.startUses({
    action: actionFolder,
    id: 'image',
    with: { ...prepared.with, image: '.#waits' },
    onLine: line => line.includes('building waits') && building.resolve(),
  })
  await Promise.race([building.promise, step.done.then(({ log }) => assert.fail(log))])
  step.kill('SIGINT')
  const main = await step.done
  assert.notEqual(main.code, 0)
  assert.deepEqual(
    main.errors.map(({ message }) => message),
    ['The job was cancelled.'],
  )
  assert.equal(main.outputs['nix-version'], (await prepared.with)['nix-version'])
  const { posts, orphans } = await prepared.job.end()
  assert.deepEqual(orphans, [])
  assert.equal(posts[0]?.code, 0, posts[0]?.log)
  assert.match(posts[0]?.summary ?? '', /saved/)
})
