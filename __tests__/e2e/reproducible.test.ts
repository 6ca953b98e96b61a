import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { nixRelease } from '../../script/parts/paths.ts'
import type { BuiltAgain, Reproduction } from '../../src/reproduce/model.ts'
import { Machine } from '../harness/machine.ts'
import { installForAll, startDaemon } from '../harness/nix-by-hand.ts'
import type { StepResult } from '../harness/runner/step.ts'
import { actionFolder, type Prepared, type RunOptions, World } from '../harness/world.ts'

const world = await World.create({ template: 'differs', keptNix: true })
after(() => world[Symbol.asyncDispose]())

const prepare = (image: string, options: RunOptions = {}) =>
  world.prepare({
    cache: 'none',
    ...options,
    with: { image: `.#${image}`, reproducible: 'true', ...options.with },
  })

function reproductionOf({ outputs }: StepResult): Reproduction {
  return JSON.parse(outputs.metadata ?? '').details.reproducible
}

function named({ derivations }: Reproduction, name: string): BuiltAgain {
  const found = derivations.find(one => one.name === name)
  assert.ok(found, `${name} was built again`)
  return found
}

const pushed = () => world.registry.requests.some(({ method }) => method === 'PUT')

/** What of the second builds is in the store or where builds are made. */
async function left({ machine }: Prepared): Promise<string[]> {
  const found = await machine.run([
    ...['find', '/nix/store', '/nix/var/nix', '/tmp', '-maxdepth', '2'],
    ...['(', '-name', '*.check', '-o', '-name', '*.chroot', '-o', '-name', 'nix-*-*', ')', '-print'],
  ])
  return found.stdout.split('\n').filter(line => /check$|chroot$|\/builds\/|nix-build/.test(line))
}

for (const [index, release] of nixRelease().releases.entries()) {
  // Each version and each user once: what the two have to do with each other is tested elsewhere.
  const users = Machine.hasUsers() && index === 0 ? (['runner'] as const) : (['root'] as const)
  for (const user of users) {
    describe(`Nix ${release.version}, ${user}`, () => {
      test('an image that is the same twice is pushed, and it is said what was compared', async () => {
        await using prepared = await prepare('good', {
          release,
          user,
          with: { name: `${world.registry.host}/org/good-${user}-${index}` },
        })
        const main = await prepared.main()
        assert.equal(main.code, 0, main.log)
        const found = reproductionOf(main)
        assert.equal(found.verdict, 'same')
        const names = found.derivations.map(({ name, verdict }) => `${name} ${verdict}`)
        assert.deepEqual(names.sort(), ['busybox same', 'docker-image-good.tar.gz same', 'part-steady same'])
        assert.equal(found.fixed, 1, 'what was fetched')
        const [image] = found.derivations
        assert.match(image?.outputs[0]?.narHash ?? '', /^sha256-/)
        assert.match(
          main.summary,
          /\| Reproducible \| 3 derivations built twice, all the same; NAR of the image/,
        )
        assert.equal(main.outputs.changed, 'true')
        assert.deepEqual(await left(prepared), [])
      })

      test('each kind of difference is said with file and bytes; nothing is pushed', async () => {
        world.registry.forget()
        await using prepared = await prepare('bad', { release, user })
        const main = await prepared.main()
        assert.notEqual(main.code, 0)
        assert.ok(!pushed())
        const found = reproductionOf(main)
        assert.equal(found.verdict, 'different')
        assert.equal(named(found, 'docker-image-bad.tar.gz').verdict, 'same')
        assert.equal(named(found, 'part-steady').verdict, 'same')
        const differing = found.derivations.filter(({ verdict }) => verdict !== 'same')
        const what = differing.flatMap(({ name, differences }) =>
          differences.map(({ where, kind }) => [name, where, kind].join(' ')),
        )
        assert.deepEqual(what.sort(), [
          'part-build-id share/program build-id',
          'part-gzip-time share/page.gz time',
          'part-order share/names order',
          'part-path share/settings path',
          'part-random share/seed content',
          'part-time share/version time',
        ])
        const [output] = named(found, 'part-random').outputs
        assert.ok(output?.again)
        assert.notEqual(output.narHash, output.again.narHash)
        assert.match(output.again.narHash, /^sha256-[A-Za-z0-9+/]{43}=$/)
        assert.equal(output.again.narSize, output.narSize)
        const { bytes } = named(found, 'part-time').differences[0] ?? {}
        assert.match(Buffer.from(bytes?.first ?? '', 'hex').toString(), /^made on 20\d\d-/)
        assert.notEqual(bytes?.first, bytes?.second)

        assert.equal(main.errors.length, 1, main.log)
        const message = main.errors[0]?.message ?? ''
        assert.match(message, /built a second time, 6 of 9 derivations did not come out the same/)
        assert.match(message, /part-time:\n.*share\/version: a time at byte \d+/)
        assert.match(message, /SOURCE_DATE_EPOCH/)
        assert.match(main.summary, /^### ❌ Could not reproduce: nothing was published/)
        assert.match(main.summary, /\| <code>part-path<\/code> \| <code>share\/settings<\/code> \| a path/)
        assert.deepEqual(await left(prepared), [])
        const post = await prepared.post()
        assert.equal(post.code, 0, post.log)
      })

      test('what differs inside of the image is said by the layer and the file in it', async () => {
        world.registry.forget()
        await using prepared = await prepare('own', { release, user })
        const main = await prepared.main()
        assert.notEqual(main.code, 0)
        assert.ok(!pushed())
        const found = reproductionOf(main)
        const own = named(found, 'docker-image-own.tar.gz')
        assert.deepEqual(
          own.differences.map(({ where, kind, bytes }) => [where, kind, bytes?.offset]),
          [['layer 1: build/content/seed', 'content', 0]],
        )
      })
    })
  }
}

test('an image that a script writes: what it refers to is built again', async () => {
  world.registry.forget()
  await using prepared = await prepare('stream')
  const main = await prepared.main()
  assert.notEqual(main.code, 0)
  assert.ok(!pushed())
  const found = reproductionOf(main)
  assert.equal(named(found, 'stream-random').verdict, 'same')
  assert.equal(named(found, 'part-random').verdict, 'different')
})

test('what an earlier job has left in the cache is built again as well', async () => {
  const workflow = { 'cache-scope': 'again', push: 'false' }
  const { post } = await world.run({ with: { ...workflow, image: '', warm: '.#random' } })
  assert.match(post.summary, /saved/)
  await using prepared = await world.prepare({
    with: { ...workflow, image: '.#stream', reproducible: 'true' },
  })
  const main = await prepared.main()
  const { build } = JSON.parse(main.outputs.metadata ?? '').details
  assert.ok(!build.builds.some(({ name }: { name: string }) => name === 'part-random'), main.log)
  assert.equal(named(reproductionOf(main), 'part-random').verdict, 'different')
})

for (const trusted of [true, false])
  test(`with a daemon that ${trusted ? 'trusts' : 'does not trust'} the user`, {
    skip: Machine.withoutUsers(),
  }, async () => {
    const [release] = nixRelease().releases
    assert.ok(release)
    await using machine = await world.machine({ user: 'runner' })
    await installForAll(machine, release, trusted ? 'trusted-users = root runner' : '')
    await startDaemon(machine)
    await using prepared = await prepare('stream', { release, on: machine })
    const main = await prepared.main()
    assert.notEqual(main.code, 0)
    const random = named(reproductionOf(main), 'part-random')
    assert.equal(random.verdict, 'different', main.log)
    // Only for those whom it trusts it keeps what the second build has made.
    assert.deepEqual(
      random.differences.map(({ where, kind }) => `${where} ${kind}`),
      trusted ? ['share/seed content'] : [],
    )
    assert.equal(random.outputs[0]?.again !== undefined, trusted)
    if (!trusted) assert.match(main.errors[0]?.message ?? '', /trusted-users/)
    assert.deepEqual(await left(prepared), [])
  })

test('without a sandbox: what differs for that reason is not held against the flake unsaid', async () => {
  await using prepared = await prepare('bad', { with: { 'nix-conf': 'substituters =\nsandbox = false' } })
  const main = await prepared.main()
  const found = reproductionOf(main)
  assert.equal(named(found, 'part-steady').verdict, 'same')
  assert.equal(named(found, 'part-path').verdict, 'different')
  assert.match(main.errors[0]?.message ?? '', /There was no sandbox/)
  assert.deepEqual(await left(prepared), [])
})

/** A folder that builds can write to. */
const mark = (prepared: Prepared) => prepared.machine.plant('/srv/mark/.keep', '')
const withMark = { with: { 'nix-conf': 'substituters =\nextra-sandbox-paths = /srv/mark' } }

test('a build that fails the second time: said as such, with the end of its log', async () => {
  world.registry.forget()
  await using prepared = await prepare('fails-again', withMark)
  await mark(prepared)
  const main = await prepared.main()
  assert.notEqual(main.code, 0)
  assert.ok(!pushed())
  const failed = named(reproductionOf(main), 'part-fails')
  assert.equal(failed.verdict, 'failed')
  assert.match(failed.why ?? '', /exit code 3/)
  assert.match(main.summary, /this is the second build/)
})

test('a full disk in the second build: said as such', async () => {
  await using prepared = await prepare('fills-again', { ...withMark, machine: { nixSize: '150m' } })
  await mark(prepared)
  const main = await prepared.main()
  assert.notEqual(main.code, 0)
  assert.match(main.log, /this is the second build/)
  assert.match(main.errors[0]?.message ?? '', /^The disk is full/)
  assert.deepEqual(await left(prepared), [])
})

test('a job that is cancelled in the second build: nothing runs on, nothing of it is left', async () => {
  world.registry.forget()
  await using prepared = await prepare('waits-again', withMark)
  await mark(prepared)
  const building = Promise.withResolvers<void>()
  const step = await prepared.job.startUses({
    action: actionFolder,
    id: 'image',
    with: prepared.with,
    onLine: line => line.includes('this is the second build') && building.resolve(),
  })
  await Promise.race([building.promise, step.done.then(({ log }) => assert.fail(log))])
  step.kill('SIGINT')
  const main = await step.done
  assert.deepEqual(
    main.errors.map(({ message }) => message),
    ['The job was cancelled.'],
  )
  assert.ok(!pushed())
  const { orphans } = await prepared.job.end()
  assert.deepEqual(orphans, [])
  assert.deepEqual(await left(prepared), [])
})
