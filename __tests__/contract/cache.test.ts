import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, suite, type TestContext, test } from 'node:test'
import { nixRelease, readStamp } from '../../script/parts/paths.ts'
import { entries } from '../../src/cache/entries.ts'
import { silent } from '../../src/util/log.ts'
import { type CacheService, startCacheService } from '../harness/cache-service/service.ts'
import { Machine } from '../harness/machine.ts'
import { expect } from '../harness/nix-by-hand.ts'
import { CacheMachine } from './cache/job.ts'
import { built, copied, fill, keysOf, program } from './cache/samples.ts'

const unavailable = Machine.unavailable()
const releases = readStamp() === undefined ? [] : nixRelease().releases

const main = { write: 'refs/heads/main' }

async function serve(t: TestContext): Promise<CacheService> {
  const service = await startCacheService()
  t.after(() => service.close())
  return service
}

function bytesOf(service: CacheService, keys: readonly string[]): number {
  return service.entries().reduce((sum, { key, size }) => sum + (keys.includes(key) ? size : 0), 0)
}

/** Replaces an entry by something that anybody with the same rights might have saved. */
async function replace(
  service: CacheService,
  key: string,
  name: string,
  change: (path: string) => void,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'replaced-'))
  try {
    const client = join(import.meta.dirname, '../../dist/cache-client.js')
    const env = { PATH: process.env.PATH, HOME: folder, ...service.env(service.token(main)) }
    const store = entries({ client, env, log: silent })
    const path = join(folder, name)
    assert.equal((await store.restore(path, key)).outcome, 'restored')
    change(path)
    assert.equal(service.delete(key), 1)
    assert.deepEqual(await store.save(path, key), { outcome: 'saved' })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function replacePack(service: CacheService, change: (path: string) => void): Promise<void> {
  const [key = ''] = keysOf(service, 'pack')
  return replace(service, key, key.split('-')[3] ?? '', change)
}

function replaceIndex(service: CacheService, change: (text: string) => string): Promise<void> {
  return replace(service, keysOf(service, 'index').at(-1) ?? '', 'index', path => {
    const file = join(path, 'index.json')
    writeFileSync(file, change(readFileSync(file, 'utf8')))
  })
}

suite('store cache', { skip: unavailable ?? false }, () => {
  const [release, ...others] = releases
  /** Of all tests that leave it as they found it. */
  let machine: CacheMachine
  before(async () => {
    assert.ok(release !== undefined)
    machine = await CacheMachine.create(release)
  })
  after(() => machine[Symbol.asyncDispose]())

  for (const one of releases) {
    test(`what one job built with Nix ${one.version} the next one substitutes`, async t => {
      const service = await serve(t)
      await using own = others.includes(one) ? await CacheMachine.create(one) : undefined
      {
        const job = await (own ?? machine).begin({ service })
        assert.deepEqual((({ status, warnings }) => ({ status, warnings }))(await job.open()), {
          ...{ status: 'empty', warnings: [] },
        })
        assert.deepEqual(built((await job.build(program())).stderr), ['app', 'lib'])
        const saved = await job.save()
        assert.deepEqual([saved.outcome, saved.added.paths, saved.after.paths], ['saved', 2, 2])
        assert.equal(saved.calls, service.counts().total.calls - 1, 'all but the one of opening')
        const packs = keysOf(service, 'pack')
        assert.equal(packs.length, 1)
        assert.ok(bytesOf(service, packs) <= saved.after.bytes, 'the cache takes up no more than we say')
        assert.deepEqual(
          readdirSync(job.path('')).filter(name => /^(packs|nars)$/.test(name)),
          [],
        )
      }
      service.forget()
      {
        // In containers the runner has its folders somewhere else.
        const job = await (own ?? machine).begin({ service, work: '/__w' })
        const opened = await job.open()
        assert.deepEqual([opened.status, opened.paths, opened.warnings], ['opened', 2, []])
        assert.equal(service.counts().DownloadBlob.calls, 1, 'no pack is fetched before it is asked for')
        const { code, stderr } = await job.build(program())
        assert.equal(code, 0)
        assert.deepEqual([built(stderr), copied(stderr)], [[], ['app', 'lib']])
        const log = readFileSync(job.path('substituter.log'), 'utf8')
        const saved = await job.save()
        assert.deepEqual(
          [saved.outcome, saved.added.paths, saved.dropped.paths, saved.uploaded],
          ['unchanged', 0, 0, 0],
        )
        const { CreateCacheEntry, DownloadBlob } = service.counts()
        assert.deepEqual([CreateCacheEntry.calls, DownloadBlob.calls], [0, 2], 'an index and a pack')
        for (const secret of service.secrets()) assert.ok(!log.includes(secret))
      }
      {
        const job = await (own ?? machine).begin({ service })
        await job.open()
        const { stderr } = await job.build(program({ app: 'a newer program' }))
        assert.deepEqual([built(stderr), copied(stderr)], [['app'], ['lib']])
        const saved = await job.save()
        assert.deepEqual([saved.outcome, saved.added.paths, saved.after.paths], ['saved', 1, 3])
        assert.equal(keysOf(service, 'pack').length, 2)
      }
    })
  }

  test('a pack is a binary cache that plain Nix can use', async t => {
    const service = await serve(t)
    await fill(machine, { service })
    const job = await machine.begin({ service })
    await job.open()
    const { out } = await job.build(program())
    const [pack = ''] = readdirSync(job.path('packs')).filter(name => /^[0-9a-f]{64}$/.test(name))
    const url = `file://${job.env.RUNNER_TEMP}/nix-image-action/packs/${pack}`
    const copy = ['nix', 'copy', '--no-check-sigs', '--from', url, '--to', '/tmp/other', out]
    await expect(job.machine.run(copy, { env: job.env }))
    const there = await expect(job.machine.run(['cat', `/tmp/other${out}`]))
    assert.match(there, /^a program \/nix\/store\/\w{32}-lib\n$/)
    await job.save()
  })

  test('what a build needs is brought in bulk before it, and nothing else is', async t => {
    const service = await serve(t)
    await fill(machine, { service })
    await fill(machine, { service }, program({ app: 'second' }))
    await fill(machine, { service }, program({ lib: 'other', app: 'third' }))
    assert.equal(keysOf(service, 'pack').length, 3)
    const names = (stdout: string) =>
      stdout.split('\n').filter(name => /^\w{32}-(lib|app)$/.test(name)).length
    {
      const job = await machine.begin({ service })
      await job.open()
      service.forget()
      // In the second pack; it refers to something in the first one.
      const brought = await job.bring(program({ app: 'second' }))
      assert.deepEqual(
        [brought.paths.length, service.counts().DownloadBlob.calls],
        [2, 2],
        brought.log.join('\n'),
      )
      const { stderr } = await job.build(program({ app: 'second' }))
      assert.deepEqual([built(stderr), copied(stderr)], [[], []])
      assert.equal((await job.bring(program({ app: 'second' }))).paths.length, 0, 'it is there')
      // To build it takes the library only.
      assert.equal((await job.bring(program({ app: 'new' }))).paths.length, 0)
      assert.deepEqual(built((await job.build(program({ app: 'new' }))).stderr), ['app'])
      assert.equal(names(await expect(job.machine.run(['ls', '/nix/store']))), 3)
      await job.save()
    }
    {
      // The run before needed two packs: they are fetched without anybody asking.
      const job = await machine.begin({ service })
      service.forget()
      const asked = service.hold({ method: 'DownloadBlob', key: 'nia1-pack-' })
      await job.open()
      await asked.reached
      asked.release()
      const brought = await job.bring(program({ lib: 'other', app: 'third' }))
      assert.equal(brought.paths.length, 2, brought.log.join('\n'))
      const { stats } = await job.stop()
      assert.deepEqual([stats?.packs.fetched.length, stats?.packs.needed.length], [3, 1])
    }
  })

  test('what is amiss with a pack is left to the substituter, which finds it out', async t => {
    const service = await serve(t)
    await fill(machine, { service })
    const damages: Record<string, (path: string) => void> = {
      'another NAR, and a description that is true of it': path => {
        const files = readdirSync(path).filter(name => name.endsWith('.narinfo'))
        const texts = files.map(name => readFileSync(join(path, name), 'utf8'))
        const about = (text = '') => /^URL: (?:.*\n)*?(?=References: )/m.exec(text)?.[0] ?? ''
        const lib = texts.findIndex(text => /^StorePath: .*-lib$/m.test(text))
        const other = about(texts[1 - lib])
        writeFileSync(join(path, files[lib] ?? ''), (texts[lib] ?? '').replace(about(texts[lib]), other))
      },
      'another NAR': path => {
        const [one = '', two = ''] = readdirSync(join(path, 'nar')).map(name => join(path, 'nar', name))
        writeFileSync(one, readFileSync(two))
      },
    }
    for (const [name, damage] of Object.entries(damages)) {
      await replacePack(service, damage)
      const job = await machine.begin({ service })
      await job.open()
      const brought = await job.bring(program())
      assert.match(brought.log.join('\n'), /is left to the substituter: /, name)
      const { code, out } = await job.build(program())
      assert.equal(code, 0, name)
      const [lib = ''] = /\/nix\/store\/\S*/.exec(await expect(job.machine.run(['cat', out]))) ?? []
      assert.equal(await expect(job.machine.run(['cat', lib])), 'a library\n', name)
      await job.save()
    }
  })

  test('a damaged or missing pack ends in a build, and is replaced', async t => {
    const nar = (path: string) => {
      const names = readdirSync(join(path, 'nar')).sort()
      return names.map(name => join(path, 'nar', name))
    }
    const damages: Record<string, (service: CacheService) => Promise<unknown>> = {
      'another NAR': service =>
        replacePack(service, path => {
          const [one = '', two = ''] = nar(path)
          writeFileSync(one, readFileSync(two))
        }),
      'no pack': async service => {
        service.delete(keysOf(service, 'pack')[0] ?? '')
        // One that was saved a moment ago may just not be found yet.
        await replaceIndex(service, text => text.replace(/"created":\d+/g, '"created":1000000000'))
      },
    }
    for (const [name, damage] of Object.entries(damages)) {
      const service = await serve(t)
      await fill(machine, { service })
      await damage(service)
      {
        const job = await machine.begin({ service })
        await job.open()
        const { code, stderr } = await job.build(program())
        assert.equal(code, 0, `${name}: ${stderr}`)
        assert.ok(built(stderr).includes('app') || built(stderr).includes('lib'), `${name}: ${stderr}`)
        const saved = await job.save()
        assert.deepEqual([saved.outcome, saved.after.paths], ['saved', 2], name)
      }
      const job = await machine.begin({ service })
      await job.open()
      const { stderr } = await job.build(program())
      assert.deepEqual([built(stderr), copied(stderr)], [[], ['app', 'lib']], `${name}: ${stderr}`)
    }
  })

  test('a pack that does not come through ends in a build, and is not forgotten', async t => {
    const service = await serve(t)
    await fill(machine, { service })
    for (const trouble of [{ kind: 'corrupt' }, { status: 404 }] as const) {
      const fault = service.fault({ method: 'DownloadBlob', key: 'nia1-pack-', ...trouble })
      const job = await machine.begin({ service })
      await job.open()
      const { code, stderr } = await job.build(program())
      assert.deepEqual([code, built(stderr)], [0, ['app', 'lib']], stderr)
      assert.equal((await job.save()).outcome, 'unchanged')
      fault.clear()
    }
  })

  test('what an index says is not believed: Nix verifies', async t => {
    const service = await serve(t)
    await fill(machine, { service })
    // Well-formed, and true of no file.
    const other = (_: string, start: string, digit: string) => `${start}${digit === '0' ? '1' : '0'}`
    await replaceIndex(service, text => text.replace(/("narHash":"\w{20})(\w)/g, other))
    const job = await machine.begin({ service })
    assert.equal((await job.open()).status, 'opened')
    const { code, stderr } = await job.build(program())
    assert.deepEqual([code, built(stderr)], [0, ['app', 'lib']], stderr)
    assert.match(stderr, /hash mismatch/)
    assert.deepEqual((await job.save()).after.paths, 2)
    const next = await machine.begin({ service })
    await next.open()
    assert.deepEqual(copied((await next.build(program())).stderr), ['app', 'lib'])
  })

  test('an index that is damaged or hostile is no cache, and is replaced', async t => {
    const service = await serve(t)
    await fill(machine, { service })
    const changes: Record<string, (text: string) => string> = {
      'cut short': text => text.slice(0, text.length / 2),
      hostile: text => text.replace(/"name":"\w{32}-/g, '"name":"../../../etc/'),
    }
    for (const [name, change] of Object.entries(changes)) {
      await replaceIndex(service, change)
      const job = await machine.begin({ service })
      const opened = await job.open()
      assert.deepEqual([opened.status, opened.warnings.length], ['empty', 1], name)
      assert.match(opened.warnings.join(), /^The store cache is damaged: .*\. The build goes on/)
      assert.equal((await job.build(program())).code, 0)
      const saved = await job.save()
      assert.deepEqual([saved.outcome, saved.after.paths], ['saved', 2], name)
      assert.equal(saved.uploaded, 0, 'the pack is there and found by its contents')
    }
    service.fault({ method: 'DownloadBlob', key: 'nia1-index-', kind: 'corrupt', times: 2 })
    const job = await machine.begin({ service })
    const opened = await job.open()
    assert.deepEqual([opened.status, opened.warnings.length], ['empty', 1])
    await job.build(program({ app: 'other' }))
    assert.equal((await job.save()).outcome, 'saved')
  })

  test('an index in which paths refer to each other in a circle ends in a build', async t => {
    const service = await serve(t)
    await fill(machine, { service })
    await replaceIndex(service, text => {
      const index = JSON.parse(text)
      const paths = index.packs.flatMap((pack: { paths: unknown[] }) => pack.paths)
      const named = (name: string) => paths.find((path: { name: string }) => path.name.endsWith(`-${name}`))
      named('lib').references = named('app').name.slice(0, 32)
      return JSON.stringify(index)
    })
    const job = await machine.begin({ service })
    const opened = await job.open()
    assert.deepEqual([opened.status, opened.warnings.length], ['empty', 1])
    const { code, stderr } = await job.build(program())
    assert.equal(code, 0, stderr)
    assert.equal((await job.save()).after.paths, 2)
  })

  test('a service that goes down when the index is read ends in a build, and nothing is forgotten', async t => {
    const service = await serve(t)
    await fill(machine, { service })
    const job = await machine.begin({ service })
    assert.equal((await job.open()).status, 'opened')
    await service.down()
    assert.deepEqual((await job.bring(program())).paths, [])
    const { code, stderr } = await job.build(program())
    assert.deepEqual([code, built(stderr)], [0, ['app', 'lib']], stderr)
    await service.up()
    const saved = await job.save()
    assert.deepEqual([saved.outcome, saved.after.paths], ['unchanged', 2])
  })

  test('a substituter that has died ends in a build', async t => {
    const service = await serve(t)
    await fill(machine, { service })
    const job = await machine.begin({ service })
    const { server } = await job.open()
    await expect(job.machine.run(['kill', '-KILL', String(server?.pid)]))
    const { code, stderr } = await job.build(program())
    assert.deepEqual([code, built(stderr)], [0, ['app', 'lib']], stderr)
    const saved = await job.save()
    assert.deepEqual([saved.outcome, saved.after.paths], ['unchanged', 2])
  })

  test('a service that is down is no cache and no failure', async t => {
    const service = await serve(t)
    await fill(machine, { service })
    await service.down()
    const job = await machine.begin({ service })
    const opened = await job.open()
    assert.deepEqual([opened.status, opened.warnings.length], ['empty', 1])
    assert.match(opened.warnings.join(), /^The store cache cannot be read: .*\. The build goes on/)
    assert.equal((await job.build(program())).code, 0)
    assert.equal((await job.save()).outcome, 'failed')
    await service.up()
    // What was there is found again, and what the job made is added to it.
    const saved = await job.save()
    assert.deepEqual([saved.outcome, saved.after.paths], ['unchanged', 2])
  })

  test('a job that may only read, reads', async t => {
    const service = await serve(t)
    await fill(machine, { service })
    service.forget()
    const token = service.token({ ...main, readOnly: true })
    const job = await machine.begin({ service, token })
    assert.equal((await job.open()).status, 'opened')
    const { stderr } = await job.build(program({ app: 'other' }))
    assert.deepEqual(copied(stderr), ['lib'])
    const saved = await job.save()
    assert.deepEqual(
      [saved.outcome, saved.why],
      ['denied', 'cache write denied: the token of this job is read-only'],
    )
    assert.equal(service.counts().UploadBlob.calls, 0)
  })

  test('a job that the runner lets only read compresses nothing and asks nobody', async t => {
    const service = await serve(t)
    await fill(machine, { service })
    const job = await machine.begin({ service, env: { ACTIONS_CACHE_MODE: 'read' } })
    assert.equal((await job.open()).status, 'opened')
    await job.build(program({ app: 'other' }))
    service.forget()
    const saved = await job.save({ narWorker: '/none' })
    assert.deepEqual(
      [saved.outcome, saved.why, saved.after.paths],
      ['denied', "the runner says that its cache mode is 'read'", 2],
    )
    assert.deepEqual([saved.calls, service.calls.length], [0, 0])
  })

  test('a job for foreign code that may only read finds out before it compresses', async t => {
    const service = await serve(t)
    await fill(machine, { service })
    const sent = () =>
      service.calls.flatMap(({ method, key }) => (method === 'CreateCacheEntry' ? [key?.slice(0, 9)] : []))
    const begin = async (readOnly: boolean, app: string) => {
      const token = service.token({ write: 'refs/pull/7/merge', read: [main.write], readOnly })
      const job = await machine.begin({ service, ref: 'refs/pull/7/merge', bases: [main.write], token })
      await job.open()
      await job.build(program({ app }))
      service.forget()
      return job
    }
    const denied = await (await begin(true, 'one')).save({ foreign: true, narWorker: '/none' })
    assert.deepEqual(
      [denied.outcome, denied.why, denied.after.paths],
      ['denied', 'cache write denied: the token of this job is read-only', 2],
    )
    assert.deepEqual(sent(), ['nia1-may-'])
    // Nothing to compress, nothing to find out.
    const again = await begin(true, 'a program')
    assert.equal((await again.save({ foreign: true })).outcome, 'unchanged')
    assert.deepEqual(sent(), [])
    // Where it may save it does so, and the next time one request tells.
    for (const app of ['one', 'two']) {
      assert.equal((await (await begin(false, app)).save({ foreign: true })).outcome, 'saved')
      assert.deepEqual(sent(), ['nia1-may-', 'nia1-pack', 'nia1-inde'])
    }
    assert.equal(service.entries().filter(({ key }) => key === 'nia1-may-save').length, 1)
    // Of the repository's own code it is expected that it may.
    const own = await begin(true, 'three')
    assert.equal((await own.save()).outcome, 'denied')
    assert.deepEqual(sent(), ['nia1-pack'])
  })

  test('a job that is killed while it saves leaves what was there before', async t => {
    const service = await serve(t)
    await fill(machine, { service })
    const [before] = keysOf(service, 'index')
    const newer = program({ app: 'a newer program' })
    for (const key of ['nia1-pack-', 'nia1-index-']) {
      const job = await machine.begin({ service })
      await job.open()
      assert.deepEqual(built((await job.build(newer)).stderr), ['app'])
      const hold = service.hold({ method: 'UploadBlob', key })
      await job.saveUntil(hold.reached)
      hold.drop()
      assert.deepEqual(keysOf(service, 'index'), [before])
    }
    assert.equal(service.reservations().length, 2)
    service.forget()
    // The first pack's key is blocked; the second one was saved under another key and is found by nothing yet.
    const job = await machine.begin({ service })
    assert.equal((await job.open()).key, before)
    assert.deepEqual(built((await job.build(newer)).stderr), ['app'])
    const saved = await job.save()
    assert.deepEqual([saved.outcome, saved.after.paths, saved.reasons], ['saved', 3, []])
    const last = await machine.begin({ service })
    await last.open()
    const { stderr } = await last.build(newer)
    assert.deepEqual([built(stderr), copied(stderr)], [[], ['app', 'lib']])
  })

  test('two jobs that save side by side lose nothing', async t => {
    const service = await serve(t)
    await fill(machine, { service })
    const [one, two] = [program({ app: 'one' }), program({ app: 'two' })]
    assert.ok(release !== undefined)
    await using otherMachine = await CacheMachine.create(release)
    const first = await machine.begin({ service })
    const second = await otherMachine.begin({ service })
    for (const [job, expression] of [
      [first, one],
      [second, two],
    ] as const) {
      await job.open()
      await job.build(expression)
    }
    assert.equal((await first.save()).after.paths, 3)
    assert.equal((await second.save()).after.paths, 4)
    const third = await machine.begin({ service })
    await third.open()
    for (const expression of [one, two]) assert.deepEqual(built((await third.build(expression)).stderr), [])
  })

  test('what another job saves while this one does stays', async t => {
    const service = await serve(t)
    await fill(machine, { service })
    assert.ok(release !== undefined)
    await using otherMachine = await CacheMachine.create(release)
    const slow = await machine.begin({ service })
    const quick = await otherMachine.begin({ service })
    await slow.open()
    await slow.build(program({ app: 'slow' }))
    await quick.open()
    const hold = service.hold({ method: 'UploadBlob', key: 'nia1-pack-' })
    const saving = slow.save()
    await hold.reached
    // It has no pack to upload, so it is not held.
    const digest = `sha256:${'0'.repeat(64)}` as const
    const layer = { diffId: digest, digest, size: 3, repository: 'example.org/app' }
    const layers = { 'layer of the quick one': layer }
    assert.equal((await quick.save({ layers: layers as never })).outcome, 'saved')
    hold.release()
    assert.deepEqual((await saving).after.paths, 3)
    const opened = await (await machine.begin({ service })).open()
    assert.deepEqual([opened.paths, opened.layers], [3, ['layer of the quick one']])
  })

  test('scopes do not share, and another ref reads and does not write', async t => {
    const service = await serve(t)
    await fill(machine, { service, scope: 'a' })
    const pull = service.token({ write: 'refs/pull/7/merge', read: ['refs/heads/main'] })
    const job = await machine.begin({ service, scope: 'a', token: pull })
    await job.open()
    assert.deepEqual(built((await job.build(program({ app: 'pull' }))).stderr), ['app'])
    assert.equal((await job.save()).outcome, 'saved')
    for (const [scope, paths] of [
      ['a', 2],
      ['a-b', 0],
      ['', 0],
    ] as const) {
      const other = await machine.begin({ service, scope })
      assert.equal((await other.open()).paths, paths, scope)
    }
  })

  test('the cache stays within its limit, and what was used last stays', async t => {
    const service = await serve(t)
    const versions = ['one', 'two', 'three', 'four'].map(app => program({ app, noise: 5000 }))
    let limit = 1024 ** 3
    let named: string[] = []
    for (const [at, expression] of versions.entries()) {
      const job = await machine.begin({ service })
      await job.open()
      assert.equal((await job.build(expression)).code, 0)
      const saved = await job.save({ limit })
      assert.equal(saved.outcome, 'saved')
      const document = JSON.parse(readFileSync(job.path('index/index.json'), 'utf8'))
      named = document.packs.map(({ key }: { key: string }) => key)
      assert.ok(saved.after.bytes <= limit)
      assert.ok(bytesOf(service, named) <= limit, 'the cache takes up no more than we say')
      // The library is in the first pack and used each time; of the programs only so many have a place.
      if (at === 0) limit = Math.floor(saved.after.bytes * 2.5)
      assert.equal(named.length, Math.min(at + 1, 2))
      if (at < 2) continue
      assert.equal(saved.dropped.paths, 1)
      assert.match(saved.reasons.join(), /^1 path .* was dropped to stay within cache-size/)
    }
    const job = await machine.begin({ service })
    await job.open()
    const [one = '', two = '', three = '', four = ''] = versions
    assert.deepEqual(built((await job.build(four)).stderr), [])
    assert.deepEqual(built((await job.build(one)).stderr), [], 'it shares the pack of the library')
    assert.deepEqual(built((await job.build(three)).stderr), ['app'])
    assert.deepEqual(built((await job.build(two)).stderr), ['app'])
  })

  test('what is needed of a pack that has no room moves into a new one, as it is', async t => {
    const service = await serve(t)
    await fill(machine, { service }, program({ app: 'large', noise: 20_000 }))
    const [large = ''] = keysOf(service, 'pack')
    const describe = (job: { path(name: string): string }) => {
      const document = JSON.parse(readFileSync(job.path('index/index.json'), 'utf8'))
      const packs: { key: string; paths: { name: string; fileHash: string }[] }[] = document.packs
      const lib = packs.flatMap(({ paths }) => paths).find(({ name }) => name.endsWith('-lib'))
      return { keys: packs.map(({ key }) => key), lib: lib?.fileHash, retired: document.retired.length }
    }
    const small = program({ app: 'small' })
    const limit = Math.floor(bytesOf(service, [large]) * 0.5)
    for (const trouble of [true, false]) {
      service.forget()
      const job = await machine.begin({ service })
      await job.open()
      const { code, stderr } = await job.build(small)
      assert.deepEqual([code, built(stderr), copied(stderr)], [0, ['app'], ['lib']])
      const before = describe({ path: () => job.path('opened-index.json') })
      const fault = trouble && service.fault({ method: 'UploadBlob', key: 'nia1-pack-', status: 403 })
      const saved = await job.save({ limit })
      if (fault) {
        fault.clear()
        assert.equal(saved.outcome, 'failed', 'what could not be sent is not given up')
        continue
      }
      assert.deepEqual([saved.outcome, saved.repacked?.packs, saved.after.paths], ['saved', 1, 2])
      assert.deepEqual([saved.added.paths, saved.dropped.paths, saved.held?.built.paths], [1, 1, 2])
      assert.match(saved.reasons.join(), /1 pack \(.*\) was rewritten to free /)
      const after = describe(job)
      assert.deepEqual([after.keys.includes(large), after.keys.length, after.retired], [false, 1, 1])
      assert.equal(after.lib, before.lib)
      assert.ok(bytesOf(service, after.keys) <= limit)
      assert.ok(service.counts().total.calls <= 25)
    }
    const next = await machine.begin({ service })
    await next.open()
    const { stderr } = await next.build(small)
    assert.deepEqual([built(stderr), copied(stderr)], [[], ['app', 'lib']])
  })

  test('what does not fit at all is said, and nothing is uploaded for it', async t => {
    const service = await serve(t)
    const job = await machine.begin({ service })
    await job.open()
    await job.build(program())
    const saved = await job.save({ limit: 100 })
    assert.deepEqual([saved.outcome, saved.after.paths], ['unchanged', 0])
    assert.match(saved.reasons.join(), /2 new paths .* did not fit and were not saved/)
    assert.equal(service.counts().CreateCacheEntry.calls, 0)
  })

  test('the image and what Nix needs for itself are not kept', async t => {
    const service = await serve(t)
    const job = await machine.begin({ service })
    await job.open()
    const { out } = await job.build(program())
    const saved = await job.save({ exclude: [out] })
    assert.deepEqual([saved.outcome, saved.after.paths], ['saved', 1])
    const names = readFileSync(job.path('index/index.json'), 'utf8').match(/"name":"\w{32}-([^"]*)"/g)
    assert.deepEqual(
      names?.map(name => name.slice(41, -1)),
      ['lib'],
    )
  })

  test('layers are remembered, costs are kept, and nothing is sent for what is known', async t => {
    const service = await serve(t)
    const digest = `sha256:${'0'.repeat(64)}` as const
    const layer = { diffId: digest, digest, size: 3, repository: 'example.org/app' }
    const layers = Object.entries({ 'layer 1': layer })
    {
      const job = await machine.begin({ service })
      await job.open()
      const { out } = await job.build(program())
      const drv = (
        await expect(job.machine.run(['nix-store', '--query', '--deriver', out], { env: job.env }))
      ).trim()
      assert.equal(
        (await job.save({ layers: Object.fromEntries(layers) as never, costs: { [drv]: 2.345 } })).outcome,
        'saved',
      )
      assert.match(readFileSync(job.path('index/index.json'), 'utf8'), /"cost":2\.3\b/)
    }
    const job = await machine.begin({ service })
    assert.deepEqual((await job.open()).layers, ['layer 1'])
    assert.equal((await job.save({ layers: Object.fromEntries(layers) as never })).outcome, 'unchanged')
  })

  test('a use that is a day old is worth an index, and no pack', async t => {
    const service = await serve(t)
    await fill(machine, { service })
    await replaceIndex(service, text =>
      text.replace(/"lastUse":(\d+)/g, (_, time) => `"lastUse":${Number(time) - 90_000}`),
    )
    service.forget()
    const job = await machine.begin({ service })
    await job.open()
    await job.build(program())
    const saved = await job.save()
    assert.deepEqual([saved.outcome, saved.added.paths, saved.uploaded], ['saved', 0, 0])
    assert.deepEqual(
      service.calls.filter(({ method }) => method === 'CreateCacheEntry').map(({ key }) => key?.slice(0, 11)),
      ['nia1-index-'],
    )
  })

  test('what a job with a wrong clock has saved is believed as far as a day goes', async t => {
    for (const ahead of [5 * 3600, 365 * 86_400]) {
      const service = await serve(t)
      await fill(machine, { service })
      await replaceIndex(service, text =>
        text.replace(/"(lastUse|created)":(\d+)/g, (_, name, time) => `"${name}":${Number(time) + ahead}`),
      )
      const job = await machine.begin({ service })
      await job.open()
      await job.build(program({ app: 'other' }))
      assert.equal((await job.save()).outcome, 'saved')
      const text = readFileSync(job.path('index/index.json'), 'utf8')
      const [unused = 0, ...used] = [...text.matchAll(/"lastUse":(\d+)/g)]
        .map(match => Number(match[1]))
        .sort()
      assert.deepEqual(used, [unused + 1, unused + 1], 'what this job used is the younger one')
      const now = Date.now() / 1000
      assert.ok(unused > now && unused <= now + 86_400, `${unused - now} s ahead`)
    }
  })

  test('a full disk ends the save, not the job', async t => {
    const service = await serve(t)
    assert.ok(release !== undefined)
    await using own = await CacheMachine.create(release)
    const job = await own.begin({ service })
    const temp = job.env.RUNNER_TEMP ?? ''
    await expect(own.machine.run(['mount', '-t', 'tmpfs', '-o', 'size=32k', 'tmpfs', temp]))
    await job.open()
    await job.build(program({ noise: 20_000 }))
    const saved = await job.save()
    assert.deepEqual([saved.outcome, saved.why], ['failed', 'the disk is full'])
    assert.deepEqual(service.entries(), [])
  })

  test('what is damaged on the disk is not saved, and is said', async t => {
    const service = await serve(t)
    const job = await machine.begin({ service })
    await job.open()
    const { out } = await job.build(program())
    await expect(job.machine.run(['chmod', '+w', out]))
    await expect(job.machine.run(['tee', out], { stdin: 'something else' }))
    const saved = await job.save()
    assert.deepEqual([saved.outcome, saved.after.paths], ['saved', 1])
    assert.match(saved.reasons.join('\n'), /-app is smaller than Nix says/)
    const next = await machine.begin({ service })
    await next.open()
    const { stderr } = await next.build(program())
    assert.deepEqual([built(stderr), copied(stderr)], [['app'], ['lib']])
    assert.equal((await next.save()).after.paths, 2)
  })
})
