import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { pullRequest } from '../harness/runner/events.ts'
import { githubToken, repositoryName, World } from '../harness/world.ts'

const world = await World.create({ template: 'busybox' })
after(() => world[Symbol.asyncDispose]())

/** What the one error of a failed step says; nothing else may have been said, and no stack. */
function errorOf(main: Awaited<ReturnType<World['run']>>['main']): string {
  assert.notEqual(main.code, 0, main.log)
  assert.equal(main.errors.length, 1, main.log)
  const message = main.errors[0]?.message ?? ''
  assert.doesNotMatch(main.log, /^\s+at .*\.js:\d+/m, 'a stack trace is in the log')
  assert.match(main.summary, /nothing was published/)
  return message
}

test('a wrong digest of the Nix tarball: both digests are named, and nothing is in /nix', async () => {
  await using prepared = await world.prepare({ with: { 'nix-sha256': 'a'.repeat(64) } })
  const main = await prepared.main()
  assert.match(errorOf(main), /a{64}/)
  const listed = await prepared.machine.run(['find', '/nix', '-path', '/nix/store/*'])
  assert.equal(listed.stdout, '')
  const post = await prepared.post()
  assert.equal(post.code, 0, post.log)
})

test('a wrong password: said before anything is built, with the user and the host, never the password', async () => {
  const password = 'ghp_ThisIsNotTheRightPassword000000000000'
  const { main } = await world.run({ with: { password } })
  const message = errorOf(main)
  assert.match(message, new RegExp(world.registry.host))
  assert.match(message, /octo-robot/)
  assert.doesNotMatch(main.raw + main.summary, new RegExp(password))
  assert.match(
    main.summary,
    /^### ❌ Could not log in: nothing was published\n\n> .*octo-robot.*\n\n\*\*What to do\*\*: /,
  )
  assert.doesNotMatch(main.log, /building /)
})

test('the GitHub token is not sent to a registry that is not GitHub’s', async () => {
  world.registry.forget()
  const { main } = await world.run({ with: { username: 'octo-robot', password: githubToken } })
  assert.match(errorOf(main), /username.*password|password.*username/s)
  assert.ok(world.registry.requests.length > 0)
  assert.deepEqual([...new Set(world.registry.requests.map(({ login }) => login))], ['none'])
})

test('a missing attribute: those that exist are named', async () => {
  const { main } = await world.run({ with: { image: '.#imgae' } })
  const message = errorOf(main)
  assert.match(message, /imgae/)
  assert.match(message, /\bimage\b/)
  assert.match(message, /image-gz/)
})

test('a failing build: the derivation and the end of its log; what was built before is saved', async () => {
  const { main, post } = await world.run({ with: { image: '.#fails' } })
  const message = errorOf(main)
  assert.match(message, /fails/)
  assert.match(message, /40/)
  assert.match(main.summary, /^### ❌ Could not build/)
  assert.match(main.summary, /\*\*What to do\*\*: .*<code>nix build -L \.\\#fails<\/code>/)
  assert.match(main.summary, /\n> line 40 of 40\n.*\n```\n/)
  assert.equal(main.outputs['nix-version'] !== undefined, true, 'what is known is an output')
  assert.equal(post.code, 0, post.log)
})

test('a hash mismatch: the right hash, at the file and line of the wrong one', async () => {
  const { main } = await world.run({ with: { image: '.#hash-mismatch' } })
  const [error] = main.errors
  assert.match(errorOf(main), /sha256-[A-Za-z0-9+/]{43}=/)
  assert.equal(error?.file, 'flake.nix')
  assert.ok(Number(error?.line) > 0)
})

test('a full disk while Nix is installed: said as such, with where', async () => {
  const { main, post } = await world.run({ machine: { nixSize: '40m' } })
  assert.match(errorOf(main), /full/)
  assert.match(errorOf(main), /\/nix/)
  assert.equal(post.code, 0, post.log)
})

test('a full disk while the image is built: said as such, with where', async () => {
  await using redis = await World.create({ template: 'redis' })
  const { main, post } = await redis.run({ machine: { nixSize: '90m' } })
  assert.match(errorOf(main), /full/)
  assert.match(errorOf(main), /\/nix/)
  assert.equal(post.code, 0, post.log)
})

test('several malformed inputs: one error, nothing touched', async () => {
  await using prepared = await world.prepare({ with: { push: 'maybe', 'cache-size': 'big', sign: 'maybe' } })
  const main = await prepared.main()
  const message = errorOf(main)
  for (const name of ['push', 'cache-size', 'sign']) assert.match(message, new RegExp(`- ${name}: `))
  assert.equal((await prepared.machine.run(['ls', '-A', '/nix'])).stdout, '')
  assert.equal((await prepared.post()).code, 0)
})

test('a tag that the registry refuses: the image is there by its digest, which is an output', async () => {
  const fault = world.registry.fault({ method: 'PUT', path: /manifests\/protected$/, status: 403 })
  const { main } = await world.run({ with: { tags: 'first\nprotected' } })
  fault.clear()
  assert.equal(main.code, 1, main.log)
  assert.equal(main.errors.length, 1)
  assert.match(main.errors[0]?.message ?? '', /protected/)
  const { digest = '', image } = main.outputs
  assert.match(digest, /^sha256:/)
  assert.equal(image, `${world.registry.host}/${repositoryName.toLowerCase()}@${digest}`)
  assert.match(main.summary, /^### ❌ Could not push\n/)
})

test('a dead cache service: a warning, and the image is pushed', async () => {
  await world.cache.down()
  try {
    const { main, post } = await world.run({ with: { name: `${world.registry.host}/org/no-cache` } })
    assert.equal(main.code, 0, main.log)
    assert.equal(main.outputs.changed, 'true')
    assert.equal(main.errors.length + post.errors.length, 0)
    assert.ok(main.warnings.length > 0, 'it is said')
    assert.equal(post.code, 0, post.log)
  } finally {
    await world.cache.up()
  }
})

test('a runner without a cache service: no warning', async () => {
  const { main, post } = await world.run({ cache: 'none' })
  assert.equal(main.code, 0, main.log)
  assert.equal(main.outputs.cache, 'off')
  assert.deepEqual([...main.warnings, ...post.warnings], [])
})

test('a read-only token: the cache is read, one warning at most, the job is green', async () => {
  for (const { key } of world.cache.entries()) world.cache.delete(key)
  world.cache.forget()
  const event = pullRequest({ repository: repositoryName }, { number: 7, head: 'fix', fork: 'mona/App' })
  const { main, post } = await world.run({ event, cache: { readOnly: true } })
  assert.equal(main.code, 0, main.log)
  assert.equal(post.code, 0, post.log)
  assert.deepEqual(post.errors, [])
  assert.ok(post.warnings.length <= 1)
  // Nothing was compressed to be refused: neither what was built nor the Nix that was downloaded.
  const asked = world.cache.calls.filter(({ method }) => method === 'CreateCacheEntry')
  assert.deepEqual(
    asked.map(({ key }) => key),
    ['nia1-may-save'],
  )
  assert.match(post.log, /This job may only read the store cache: cache write denied/)
  assert.match(post.summary, /Store cache: read only/)
})
