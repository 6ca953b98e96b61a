import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { expect } from '../harness/nix-by-hand.ts'
import { pullRequest } from '../harness/runner/events.ts'
import { actionFolder, repositoryName, World } from '../harness/world.ts'

const world = await World.create({ template: 'busybox' })
after(() => world[Symbol.asyncDispose]())

test('later steps have Nix, and it is served by the cache', async () => {
  const scope = { 'cache-scope': 'later' }
  const first = await world.run({ with: { image: '.#image-stream', ...scope } })
  assert.equal(first.main.code, 0, first.main.log)
  // The image was built, so what it is made of is in the cache; this run needs nothing of it but has to serve it later.
  await using prepared = await world.prepare({ with: { image: '', warm: '.#busybox', ...scope } })
  const main = await prepared.main()
  assert.equal(main.code, 0, main.log)
  assert.match(main.summary, /warm/)
  const later = await prepared.job.run([
    'nix',
    'build',
    '--no-link',
    '--print-build-logs',
    '-v',
    '.#image-stream',
  ])
  assert.equal(later.code, 0, later.log)
  assert.match(
    later.log,
    /copying path '\/nix\/store\/[0-9a-z]{32}-stream-busybox' from 'http:\/\/127\.0\.0\.1/,
  )
  assert.doesNotMatch(later.log, /building '/)
  const end = await prepared.job.end()
  assert.deepEqual(end.orphans, [])
})

test('two steps in one job: the image archive of neither is kept', async () => {
  const scope = { 'cache-scope': 'two' }
  await using prepared = await world.prepare({ with: scope })
  const uses = (image: string) =>
    prepared.job.uses({ action: actionFolder, id: image.slice(2), with: { ...prepared.with, image } })
  for (const image of ['.#image', '.#image-gz']) {
    const main = await uses(image)
    assert.equal(main.code, 0, main.log)
  }
  const { posts } = await prepared.job.end()
  assert.equal(posts.length, 2)
  for (const post of posts) {
    assert.equal(post.code, 0, post.log)
    assert.deepEqual(post.warnings, [])
  }
  const next = await world.run({ with: { ...scope, image: '.#image' } })
  const { build } = JSON.parse(next.main.outputs.metadata ?? '')
  assert.deepEqual(
    build.builds.map(({ name }: { name: string }) => name),
    ['docker-image-busybox.tar'],
  )
})

test('every kind of archive has the same image id', async () => {
  const ids = new Set<string>()
  for (const image of ['.#image', '.#image-gz', '.#image-stream']) {
    for (const compression of ['gzip', 'zstd']) {
      const { main } = await world.run({ with: { image, compression, tags: 'x' } })
      assert.equal(main.code, 0, main.log)
      const { push } = JSON.parse(main.outputs.metadata ?? '')
      ids.add(push.layers.map(({ diffId }: { diffId: string }) => diffId).join())
    }
  }
  assert.equal(ids.size, 1)
})

test('a pull request builds and does not push, with the default branch’s cache', async () => {
  const scope = { 'cache-scope': 'pr', image: '.#image-stream' }
  await world.run({ with: scope })
  world.registry.forget()
  const event = pullRequest({ repository: repositoryName }, { number: 7, head: 'feature' })
  const { main, post } = await world.run({ event, with: scope, cache: { read: ['refs/heads/main'] } })
  assert.equal(main.code, 0, main.log)
  assert.equal(main.outputs.cache, 'hit')
  assert.equal(main.outputs.digest, undefined)
  assert.match(main.outputs['out-path'] ?? '', /stream-busybox/)
  assert.match(main.summary, /not pushed/)
  assert.equal(world.registry.requests.length, 0)
  assert.equal(post.code, 0)
})

test('a failed build saves what was built before it failed', async () => {
  const scope = { 'cache-scope': 'red' }
  const red = await world.run({ with: { ...scope, image: '.#fails', warm: '.#busybox' } })
  assert.notEqual(red.main.code, 0)
  assert.match(red.post.summary, /saved/)
  const green = await world.run({ with: { ...scope, image: '', warm: '.#busybox' } })
  assert.equal(green.main.outputs.cache, 'hit', green.main.log)
})

test('nix-args, nix-conf and a Nix that is there already are used', async () => {
  await using prepared = await world.prepare({ with: { image: '', warm: '.#busybox' } })
  assert.equal((await prepared.main()).code, 0)
  const again = await prepared.job.uses({
    action: actionFolder,
    id: 'again',
    with: {
      ...prepared.with,
      'nix-args': "--option cores '1' --print-build-logs",
      'nix-conf': 'substituters =\nkeep-going = true',
    },
  })
  assert.equal(again.code, 0, again.log)
  assert.equal(JSON.parse(again.outputs.metadata ?? '').nix.how, 'found')
  const shown = await expect(
    prepared.machine.run([
      'env',
      ...Object.entries({
        ...prepared.machine.env,
        ...again.env,
        PATH: `${again.path.join(':')}:/usr/bin:/bin`,
      }).map(([k, v]) => `${k}=${v}`),
      'nix',
      'config',
      'show',
      'keep-going',
    ]),
  )
  assert.equal(shown.trim(), 'true')
})
