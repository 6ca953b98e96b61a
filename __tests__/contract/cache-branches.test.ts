import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, type TestContext, test } from 'node:test'
import { nixRelease, readStamp } from '../../script/parts/paths.ts'
import { entries } from '../../src/cache/entries.ts'
import { packKey } from '../../src/cache/keys.ts'
import { silent } from '../../src/util/log.ts'
import {
  type CacheService,
  type CacheServiceOptions,
  startCacheService,
} from '../harness/cache-service/service.ts'
import { Machine } from '../harness/machine.ts'
import { type CacheJob, CacheMachine } from './cache/job.ts'
import { built, fill, keysOf, program } from './cache/samples.ts'

const unavailable = Machine.unavailable()
const name = { system: 'x86_64-linux', scope: '' }
const main = 'refs/heads/main'
const branch = 'refs/heads/branch'
const pull = 'refs/pull/7/merge'

async function serve(t: TestContext, options: CacheServiceOptions = {}): Promise<CacheService> {
  const service = await startCacheService(options)
  t.after(() => service.close())
  return service
}

/** A job of another ref than the default branch's. */
function of(service: CacheService, ref: string, read: readonly string[] = [main]) {
  return { service, ref, bases: read, token: service.token({ write: ref, read }) }
}

function readIndex(job: CacheJob): { packs: { key: string; paths: { name: string }[] }[] } {
  return JSON.parse(readFileSync(job.path('index/index.json'), 'utf8'))
}

suite('branches and matrix legs', { skip: unavailable ?? false }, () => {
  const [release] = readStamp() === undefined ? [] : nixRelease().releases
  /** One for each leg of a matrix. */
  let machines: CacheMachine[]
  before(async () => {
    assert.ok(release !== undefined)
    machines = [await CacheMachine.create(release)]
    for (let more = 0; more < 2; more++) machines.push(await CacheMachine.create(release))
  })
  after(async () => {
    for (const machine of machines) await machine[Symbol.asyncDispose]()
  })
  const machine = (number = 0) => machines[number] as CacheMachine

  test('a branch has what it made, and what the default branch has saved since', async t => {
    const service = await serve(t)
    await fill(machine(), { service })
    {
      const job = await machine().begin(of(service, branch))
      service.forget()
      assert.equal((await job.open()).paths, 2, 'it starts from what the default branch has')
      assert.deepEqual(built((await job.build(program({ app: 'branch' }))).stderr), ['app'])
      assert.deepEqual([(await job.save()).after.paths, service.counts().UploadBlob.calls], [3, 2])
    }
    await fill(machine(), { service }, program({ app: 'newer' }))
    {
      const job = await machine().begin(of(service, branch))
      service.forget()
      const opened = await job.open()
      assert.deepEqual([opened.status, opened.paths, opened.warnings], ['opened', 4, []])
      assert.deepEqual(
        [service.counts().GetCacheEntryDownloadURL.calls, service.counts().DownloadBlob.calls],
        [2, 2],
      )
      for (const app of ['branch', 'newer'])
        assert.deepEqual(built((await job.build(program({ app }))).stderr), [])
      service.forget()
      const saved = await job.save()
      assert.deepEqual([saved.outcome, saved.uploaded], ['unchanged', 0])
      assert.equal(service.counts().DownloadBlob.calls, 0, 'what main has opened is not fetched again')
    }
    // What is built from it on the branch goes to the branch only.
    const job = await machine().begin({ service })
    assert.equal((await job.open()).paths, 3)
  })

  test('what a branch dropped for its limit stays so, until the default branch saves again', async t => {
    const service = await serve(t)
    await fill(machine(), { service }, program({ noise: 5000 }))
    const ask = of(service, branch)
    const job = await machine().begin(ask)
    await job.open()
    await job.build(program({ lib: 'another', app: 'branch', noise: 5000 }))
    const limit = readIndex(await saved(job)).packs.length === 2 ? 1.2 * bytesOfOnePack(service) : 0
    const again = await machine().begin(ask)
    assert.equal((await again.open()).paths, 4)
    await again.build(program({ lib: 'another', app: 'branch', noise: 5000 }))
    assert.deepEqual(amounts(await again.save({ limit })), ['saved', 2])
    service.forget()
    const third = await machine().begin(ask)
    assert.equal((await third.open()).paths, 2, 'the base branch knows more')
    await third.build(program({ lib: 'another', app: 'branch', noise: 5000 }))
    assert.deepEqual(amounts(await third.save({ limit })), ['unchanged', 2])
    assert.equal(service.counts().CreateCacheEntry.calls, 0)
  })

  test('a pull request starts from its base, and from the default branch where that has nothing', async t => {
    const service = await serve(t)
    await fill(machine(), { service })
    for (const base of ['refs/heads/release', main]) {
      const job = await machine().begin(of(service, pull, [base, main]))
      assert.equal((await job.open()).paths, 2)
    }
    await fill(machine(), of(service, branch), program({ app: 'branch' }))
    const job = await machine().begin(of(service, pull, [branch, main]))
    assert.equal((await job.open()).paths, 3)
    await job.build(program({ app: 'pull' }))
    // From a fork: what it made is not saved.
    const reader = service.token({ write: pull, read: [branch, main], readOnly: true })
    const fork = await machine().begin({ ...of(service, pull, [branch, main]), token: reader })
    await fork.open()
    assert.deepEqual(built((await fork.build(program({ app: 'fork' }))).stderr), ['app'])
    assert.equal((await fork.save()).outcome, 'denied')
    assert.equal((await (await machine().begin({ service })).open()).paths, 2)
  })

  test('what is built for pull_request_target in the scope of a branch is not what that branch opens', async t => {
    const service = await serve(t)
    await fill(machine(), { service })
    const target = { service, ref: pull, bases: [main], token: service.token({ write: main }) }
    await fill(machine(), target, program({ app: 'strange' }))
    assert.equal((await (await machine().begin({ service })).open()).paths, 2)
    assert.equal((await (await machine().begin(target)).open()).paths, 3)
  })

  test('legs that save at the same moment lose nothing', async t => {
    const service = await serve(t)
    await fill(machine(), { service })
    const legs = await Promise.all(
      machines.map(async (one, number) => {
        const job = await one.begin({ service })
        await job.open()
        assert.deepEqual(built((await job.build(program({ app: `leg ${number}` }))).stderr), ['app'])
        return job
      }),
    )
    service.forget()
    const hold = service.hold({ method: 'CreateCacheEntry', key: 'nia1-index-', count: legs.length })
    const saving = legs.map(job => job.save())
    // All have seen that there is nothing newer, and none has saved.
    await hold.reached
    hold.release()
    const reports = await Promise.all(saving)
    assert.deepEqual(
      reports.map(({ outcome }) => outcome),
      legs.map(() => 'saved'),
    )
    const numbers = keysOf(service, 'index').map(key => Number(key.slice(-6)))
    assert.deepEqual(numbers, [1, 2, 3, 4])
    for (const { calls } of reports) assert.ok(calls <= 20, `${calls} calls`)
    const next = await machine().begin({ service })
    assert.equal((await next.open()).paths, 2 + legs.length)
    for (const number of legs.keys())
      assert.deepEqual(built((await next.build(program({ app: `leg ${number}` }))).stderr), [])
  })

  test('what another leg has saved while this one compressed is not sent once more', async t => {
    const service = await serve(t)
    const [quick, slow] = [await machine(0).begin({ service }), await machine(1).begin({ service })]
    for (const [job, app] of [
      [quick, 'quick'],
      [slow, 'slow'],
    ] as const) {
      await job.open()
      assert.deepEqual(built((await job.build(program({ app }))).stderr), ['app', 'lib'])
    }
    // Saved, and not to be seen yet by the first look of the other.
    service.freeze()
    assert.equal((await quick.save()).outcome, 'saved')
    const hold = service.hold({ method: 'GetCacheEntryDownloadURL', key: 'nia1-index-', after: 1 })
    const saving = slow.save()
    await hold.reached
    service.thaw()
    hold.release()
    const { after, uploaded } = await saving
    assert.equal(after.paths, 3)
    assert.ok(uploaded < 0.7 * (after.bytes - uploaded), 'one path, after a pack of two')
    const packs = readIndex(slow).packs.map(({ paths }) => paths.map(path => path.name.slice(33)))
    assert.deepEqual(packs.map(names => names.sort().join()).sort(), ['app', 'app,lib'])
  })

  test('the same pack is sent once, also while the service does not show it yet', async t => {
    const service = await serve(t)
    const legs = [await machine(0).begin({ service }), await machine(1).begin({ service })]
    for (const job of legs) {
      await job.open()
      await job.build(program())
    }
    const hold = service.hold({ method: 'UploadBlob', key: 'nia1-pack-' })
    const first = legs[0]?.save()
    await hold.reached
    const exists = service.hold({ method: 'GetCacheEntryDownloadURL', key: 'nia1-pack-' })
    const second = legs[1]?.save()
    // It is told that the key is taken, and begins to look for what is there.
    await exists.reached
    exists.release()
    hold.release()
    const reports = [await first, await second]
    assert.deepEqual(reports.map(report => report?.uploaded === 0).sort(), [false, true])
    assert.equal(keysOf(service, 'pack').length, 1)
    // A branch that makes what the default branch has, without knowing it, does not send it either.
    for (const key of keysOf(service, 'index')) service.delete(key)
    const job = await machine().begin(of(service, branch))
    await job.open()
    await job.build(program())
    assert.deepEqual(amounts(await job.save()), ['saved', 2])
    assert.equal(keysOf(service, 'pack').length, 1)
  })

  /** A cache that was saved four times, three days ago, and a pack that nothing names. */
  async function past(t: TestContext) {
    let days = 3
    const service = await serve(t, { now: () => new Date(Date.now() - days * 24 * 60 * 60 * 1000) })
    for (const app of ['one', 'two', 'three', 'four']) await fill(machine(), { service }, program({ app }))
    const folder = await mkdtemp(join(tmpdir(), 'orphan-'))
    t.after(() => rm(folder, { recursive: true }))
    const orphan = 'a'.repeat(64)
    writeFileSync(join(folder, orphan), 'a pack')
    const client = join(import.meta.dirname, '../../dist/cache-client.js')
    const env = { PATH: process.env.PATH, HOME: folder, ...service.env(service.token({ write: main })) }
    const store = entries({ client, env, log: silent })
    assert.equal((await store.save(join(folder, orphan), packKey(name, orphan))).outcome, 'saved')
    days = 0
    return { service, orphan: packKey(name, orphan) }
  }

  test('old indexes and packs that nothing names are deleted, with the right to do so', async t => {
    const { service, orphan } = await past(t)
    assert.equal(
      keysOf(service, 'index').length,
      4,
      'as after jobs that were killed before they deleted anything',
    )
    const job = await machine().begin({ service, apiToken: service.githubToken() })
    await job.open()
    await job.build(program({ app: 'five' }))
    const { bytes } = sizes(service, [...keysOf(service, 'index').slice(0, 3), orphan])
    const saved = await job.save()
    assert.deepEqual(saved.deleted, { entries: 4, bytes })
    assert.deepEqual(
      keysOf(service, 'index').map(key => Number(key.slice(-6))),
      [4, 5],
    )
    assert.ok(!keysOf(service, 'pack').includes(orphan))
    assert.equal(keysOf(service, 'pack').length, 5)
    assert.ok(saved.calls <= 25)
    const next = await machine().begin({ service })
    assert.equal((await next.open()).paths, 6)
  })

  test('without the right, or while the API is in trouble, nothing is deleted and it is said once', async t => {
    const { service } = await past(t)
    const before = service.entries().length
    let at = before
    for (const [actions, status, words] of [
      ['none', undefined, /`actions: write` among/],
      ['read', undefined, /`actions: write` among/],
      ['write', 502, /were not deleted: the GitHub API answered 502/],
      ['write', 429, /were not deleted: the GitHub API answered 429/],
    ] as const) {
      const fault = status && service.fault({ method: 'ListCaches', status })
      const apiToken = service.githubToken({ actions })
      const job = await machine().begin({ service, apiToken })
      await job.open()
      await job.build(program({ app: `${actions} ${status}` }))
      const saved = await job.save()
      assert.deepEqual(
        [saved.outcome, saved.deleted, saved.warnings],
        ['saved', { entries: 0, bytes: 0 }, []],
      )
      assert.equal(saved.log.filter(line => words.test(line)).length, 1, saved.log.join('\n'))
      assert.ok(!saved.log.some(line => line.includes(apiToken)))
      at += 2
      assert.equal(service.entries().length, at, 'a pack and an index more')
      if (fault) fault.clear()
    }
  })

  test('a branch deletes its own only, and a pack that another index may name stays', async t => {
    const { service, orphan } = await past(t)
    await fill(machine(), of(service, pull), program({ app: 'pull' }))
    const apiToken = service.githubToken()
    const job = await machine().begin({ service, apiToken })
    await job.open()
    await job.build(program({ app: 'five' }))
    const saved = await job.save()
    assert.equal(saved.deleted?.entries, 3)
    assert.ok(keysOf(service, 'pack').includes(orphan), 'the index of the pull request cannot be read')
    const other = await machine().begin({ ...of(service, branch), apiToken })
    await other.open()
    await other.build(program({ app: 'branch' }))
    assert.equal((await other.save()).deleted?.entries, 0)
  })

  async function saved(job: CacheJob): Promise<CacheJob> {
    assert.equal((await job.save()).outcome, 'saved')
    return job
  }

  function amounts({ outcome, after: { paths } }: Awaited<ReturnType<CacheJob['save']>>) {
    return [outcome, paths]
  }

  function sizes(service: CacheService, keys: readonly string[]) {
    const found = service.entries().filter(({ key }) => keys.includes(key))
    return { bytes: found.reduce((sum, { size }) => sum + size, 0) }
  }

  function bytesOfOnePack(service: CacheService): number {
    return Math.max(...service.entries().map(({ key, size }) => (key.startsWith('nia1-pack-') ? size : 0)))
  }
})
