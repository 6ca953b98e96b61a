import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { expect } from '../harness/nix-by-hand.ts'
import { pullRequest } from '../harness/runner/events.ts'
import { actionFolder, repositoryName, World } from '../harness/world.ts'

const world = await World.create({ template: 'busybox', keptNix: true })
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

test('two steps in one job: each has its own token, and the image archive of neither is kept', async () => {
  const scope = { 'cache-scope': 'two' }
  await using prepared = await world.prepare({ with: scope })
  const uses = (image: string) =>
    prepared.job.uses({
      ...{ action: actionFolder, id: image.slice(2) },
      with: { ...prepared.with, image, 'github-token': `ghs_for${image.slice(2)}` },
    })
  for (const image of ['.#image', '.#image-gz']) {
    const main = await uses(image)
    assert.equal(main.code, 0, main.log)
    // In capitals, since the runner masks it.
    const shown = await prepared.job.run(['sh', '-c', 'nix config show access-tokens | tr a-z A-Z'])
    const tokens = shown.log.match(/=GHS_\S*/g)
    assert.deepEqual(tokens, [`=GHS_FOR${image.slice(2).toUpperCase()}`], shown.log)
  }
  const { posts } = await prepared.job.end()
  assert.equal(posts.length, 2)
  for (const post of posts) {
    assert.equal(post.code, 0, post.log)
    assert.deepEqual(post.warnings, [])
    assert.doesNotMatch(post.summary, /\b0 paths/)
  }
  const next = await world.run({ with: { ...scope, image: '.#image', push: 'false' } })
  const { build } = JSON.parse(next.main.outputs.metadata ?? '').details
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
      const { push } = JSON.parse(main.outputs.metadata ?? '').details
      ids.add(push.images[0].layers.map(({ diffId }: { diffId: string }) => diffId).join())
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

test('a tag that is new on a known image is said to be set; without any tag the image goes by its digest', async () => {
  const name = { name: `${world.registry.host}/org/tags`, image: '.#image-stream' }
  const first = await world.run({ with: name })
  assert.match(first.main.summary, /^### 📦 Published/)
  const second = await world.run({ with: { ...name, tags: 'main\nv2' } })
  assert.match(second.main.summary, /^### 🏷️ Unchanged image, 1 tag set/)
  const none = await world.run({ with: { ...name, tags: 'type=ref,event=tag' } })
  assert.equal(none.main.code, 0, none.main.log)
  assert.match(none.main.summary, /^### ✅ Unchanged/)
  assert.match(none.main.summary, /Tags \| \*\*none\*\*/)
  assert.deepEqual([none.main.outputs.tags, none.main.outputs.digest], ['', first.main.outputs.digest])
  assert.match(none.main.warnings.map(({ message }) => message).join(), /No tag: .*refs\/heads\/main/)
})

test('a cache-size that the job does not fit into: a warning, and the same in the summary', async () => {
  const small = { 'cache-size': '64K', 'cache-scope': 'small' }
  const { main, post } = await world.run({ with: { ...small, image: '', warm: '.#busybox' } })
  assert.equal(main.code, 0, main.log)
  assert.equal(post.warnings.length, 1, post.log)
  assert.match(post.warnings[0]?.message ?? '', /cache-size.*64\.0 KiB/)
  assert.match(post.summary, /\n- .*cache-size \(64\.0 KiB\)/)
})

test('a failed build saves what was built before it failed', async () => {
  const scope = { 'cache-scope': 'red' }
  const red = await world.run({ with: { ...scope, image: '.#fails', warm: '.#busybox' } })
  assert.notEqual(red.main.code, 0)
  assert.match(
    red.main.summary,
    /\| Built \| 1 derivation: <code>busybox<\/code>.*\n\| Failed \| <code>fails</,
  )
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
  assert.equal(JSON.parse(again.outputs.metadata ?? '').details.nix.how, 'found')
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
