import assert from 'node:assert/strict'
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { serveBinaryCache, signingKey } from '../harness/binary-cache.ts'
import {
  findLeaks,
  placeOfArguments,
  placeOfFolder,
  placeOfMachine,
  placesOfStep,
  plantSecret,
} from '../harness/leaks.ts'
import { actionFolder, World } from '../harness/world.ts'

const world = await World.create({ template: 'busybox', keptNix: true })
const folder = await mkdtemp(join(tmpdir(), 'binary-cache-'))
after(async () => {
  await world[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

const key = signingKey('elsewhere-1')
const stranger = signingKey('elsewhere-1')

/** What `nix copy` has written for each of two outputs. */
const caches = { content: join(folder, 'content'), stream: join(folder, 'stream') }
before(async () => {
  for (const [name, warm] of [
    ['content', '.#busybox'],
    ['stream', '.#image-stream'],
  ] as const) {
    await using prepared = await world.prepare({
      machine: { files: { '/srv/key': key.secret } },
      cache: 'none',
      with: { image: '', warm, 'copy-to': 'file:///srv/cache?secret-key=/srv/key' },
    })
    const main = await prepared.main()
    assert.equal(main.code, 0, main.log)
    await cp(prepared.machine.path('/srv/cache'), caches[name], { recursive: true })
  }
})

type Build = { builds: { name: string }[]; substituted: { cache: number; upstream: number } }
const buildOf = (metadata: string | undefined): Build => JSON.parse(metadata ?? '').details.build
const namesOf = ({ builds }: Build) => builds.map(({ name }) => name)
const warmed = { image: '', warm: '.#busybox' }

test('what another cache has signed is not built a second time', async () => {
  await using cache = await serveBinaryCache(caches.content)
  const { main } = await world.run({
    cache: 'none',
    with: {
      ...{ image: '.#image', push: 'false', reproducible: 'true' },
      ...{ substituters: cache.url, 'trusted-public-keys': key.public },
    },
  })
  assert.equal(main.code, 0, main.log)
  const { reproducible } = JSON.parse(main.outputs.metadata ?? '').details
  assert.deepEqual(
    reproducible.derivations.map(({ name }: { name: string }) => name),
    ['docker-image-busybox.tar'],
  )
  assert.equal(reproducible.signed, 1)
  assert.match(main.summary, /not built again: 1 path signed by binary caches/)
})

test('a path comes from another cache that has signed it, and only by the right key', async () => {
  await using cache = await serveBinaryCache(caches.content)
  const good = await world.run({
    cache: 'none',
    with: { ...warmed, substituters: cache.url, 'trusted-public-keys': key.public },
  })
  assert.equal(good.main.code, 0, good.main.log)
  assert.deepEqual(buildOf(good.main.outputs.metadata).builds, [])
  assert.equal(buildOf(good.main.outputs.metadata).substituted.upstream, 1)
  assert.match(good.main.summary, /1 path from elsewhere/)
  assert.ok(cache.served.some(path => path.endsWith('.nar.xz') || path.includes('/nar/')))

  cache.served.splice(0)
  const wrong = await world.run({
    cache: 'none',
    with: { ...warmed, substituters: cache.url, 'trusted-public-keys': stranger.public },
  })
  assert.equal(wrong.main.code, 0, wrong.main.log)
  assert.deepEqual(namesOf(buildOf(wrong.main.outputs.metadata)), ['busybox'])
  assert.equal(buildOf(wrong.main.outputs.metadata).substituted.upstream, 0)
})

test('two other caches and our own serve one job, and its later steps', async () => {
  await using content = await serveBinaryCache(caches.content)
  await using stream = await serveBinaryCache(caches.stream)
  const given = {
    image: '.#image-stream',
    'cache-scope': 'several',
    substituters: `${content.url}\n${stream.url}`,
    'trusted-public-keys': key.public,
  }
  await using prepared = await world.prepare({ with: given })
  const main = await prepared.main()
  assert.equal(main.code, 0, main.log)
  assert.deepEqual(buildOf(main.outputs.metadata).builds, [])
  assert.ok(stream.served.some(path => path.includes('/nar/')))

  // A second step of the job with one of the caches, and a later one that is no step of the action.
  await using own = await world.prepare({
    cache: 'none',
    with: { ...warmed, substituters: content.url, 'trusted-public-keys': key.public },
  })
  assert.equal((await own.main()).code, 0)
  const second = await own.job.uses({
    action: actionFolder,
    with: { ...own.with, warm: '.#busybox', substituters: stream.url, 'trusted-public-keys': key.public },
  })
  assert.equal(second.code, 0, second.log)
  const later = await own.job.run(['nix', 'build', '--no-link', '-v', '.#image-stream'])
  assert.equal(later.code, 0, later.log)
  assert.match(later.log, new RegExp(`copying path '[^']*-stream-busybox' from '${stream.url}'`))
  assert.doesNotMatch(later.log, /building '/)
})

test('what our cache has is brought in bulk also where another cache has what it refers to', async () => {
  await using cache = await serveBinaryCache(caches.content)
  const given = {
    image: '',
    warm: '.#image-stream',
    'cache-scope': 'bulk',
    substituters: cache.url,
    'trusted-public-keys': key.public,
  }
  const first = await world.run({ with: given })
  assert.deepEqual(namesOf(buildOf(first.main.outputs.metadata)), ['stream-busybox'], first.main.log)
  cache.served.splice(0)
  const second = await world.run({ with: given })
  const { builds, substituted } = buildOf(second.main.outputs.metadata)
  assert.deepEqual([builds, substituted.cache, substituted.upstream], [[], 1, 1], second.main.log)
  assert.match(second.main.log, /Brought 1 path from the cache/)
  assert.equal(cache.served.filter(path => path.includes('/nar/')).length, 1)
})

test('a login goes to the cache and nowhere else', async () => {
  const password = plantSecret('pw').replaceAll(/[/+]/g, '@')
  await using cache = await serveBinaryCache(caches.content, { login: `robot:${password}` })
  const { host } = new URL(cache.url)
  const since = new Date()
  await using prepared = await world.prepare({
    trace: true,
    machine: { files: { '/etc/nix/netrc': 'machine other.example login a password b\n' } },
    with: {
      ...warmed,
      'cache-scope': 'login',
      substituters: `http://robot:${encodeURIComponent(password)}@${host}`,
      'trusted-public-keys': key.public,
    },
  })
  const main = await prepared.main()
  assert.equal(main.code, 0, main.log)
  assert.deepEqual(buildOf(main.outputs.metadata).builds, [], main.log)
  assert.deepEqual([...cache.logins], [`robot:${password}`])
  assert.deepEqual(main.warnings, [])
  const find = ['find', prepared.job.temp, '-name', 'netrc', '-printf', '%m %p\n']
  const [mode, file = ''] = (await prepared.machine.run(find)).stdout.trim().split(' ')
  assert.equal(mode, '600')
  assert.match(
    await readFile(prepared.machine.path(file), 'utf8'),
    /\nmachine other\.example login a password b\n$/,
  )

  // Later steps use it as well.
  const later = await prepared.job.run(['nix', 'store', 'info', '--store', cache.url])
  assert.equal(later.code, 0, later.log)

  const end = await prepared.job.end()
  const [post] = end.posts
  assert.ok(post)
  assert.equal(post.code, 0, post.log)
  assert.equal((await prepared.machine.run(find)).stdout, '', 'the file is gone')
  const places = [
    ...placesOfStep('main', main),
    ...placesOfStep('post', post),
    placeOfArguments(end),
    await placeOfFolder('cache', world.cache.directory),
    await placeOfMachine(prepared.machine, since),
  ]
  assert.deepEqual(await findLeaks({ 'password of the cache': password }, places), [])
})

test('a cache that refuses the login is said, and the build goes on', async () => {
  await using cache = await serveBinaryCache(caches.content, { login: 'robot:right' })
  const { main } = await world.run({
    cache: 'none',
    with: {
      ...warmed,
      substituters: cache.url.replace('http://', 'http://robot:wrong@'),
      'trusted-public-keys': key.public,
    },
  })
  assert.equal(main.code, 0, main.log)
  assert.match(main.warnings[0]?.message ?? '', /answers 401: it does not take the login/)
  assert.deepEqual(namesOf(buildOf(main.outputs.metadata)), ['busybox'])
})

test('a login that the machine has: no word about one that is missing, and the cache is used', async () => {
  await using cache = await serveBinaryCache(caches.content, { login: 'robot:right' })
  const { hostname } = new URL(cache.url)
  const { main } = await world.run({
    cache: 'none',
    machine: { files: { '/etc/nix/netrc': `machine ${hostname} login robot password right\n` } },
    with: { ...warmed, substituters: cache.url, 'trusted-public-keys': key.public },
  })
  assert.equal(main.code, 0, main.log)
  assert.deepEqual(main.warnings, [])
  assert.deepEqual(buildOf(main.outputs.metadata).builds, [], main.log)
})

test('a cache whose password the job was not given is left out, and the build goes on', async () => {
  await using cache = await serveBinaryCache(caches.content, { login: 'robot:right' })
  const { main } = await world.run({
    cache: 'none',
    with: {
      ...warmed,
      substituters: cache.url.replace('http://', 'http://robot:@'),
      'trusted-public-keys': key.public,
    },
  })
  assert.equal(main.code, 0, main.log)
  assert.match(main.warnings[0]?.message ?? '', /is given with a login that has no password/)
  assert.deepEqual(namesOf(buildOf(main.outputs.metadata)), ['busybox'])
})

test('caches that are not there or never answer do not hold the build up', async () => {
  await using cache = await serveBinaryCache(caches.content)
  let connections = 0
  const mute = createServer(() => {
    connections++
  })
  await new Promise<void>(done => mute.listen(0, '127.0.0.1', done))
  const silent = `http://127.0.0.1:${(mute.address() as AddressInfo).port}`
  const { main } = await world.run({
    cache: 'none',
    with: {
      ...warmed,
      substituters: `http://127.0.0.1:1 ${silent} ${cache.url}`,
      'trusted-public-keys': key.public,
    },
  })
  mute.close()
  assert.equal(main.code, 0, main.log)
  const warnings = main.warnings.map(({ message }) => message)
  assert.deepEqual(warnings, [
    'The binary cache http://127.0.0.1:1 cannot be reached (ECONNREFUSED): this job goes on without it.',
    `The binary cache ${silent} cannot be reached (no answer): this job goes on without it.`,
  ])
  assert.equal(connections, 1, 'Nix has not tried it')
  assert.deepEqual(buildOf(main.outputs.metadata).builds, [])
})
