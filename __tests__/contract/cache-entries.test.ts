import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { type Entries, entries, hasCacheService } from '../../src/cache/entries.ts'
import type { Log } from '../../src/util/log.ts'
import { type CacheService, startCacheService } from '../harness/cache-service/service.ts'
import { childrenOf } from '../harness/children.ts'

const root = join(import.meta.dirname, '../..')
const main = { write: 'refs/heads/main' }

type Setup = {
  readonly service: CacheService
  readonly folder: string
  /** All that was said, to be looked through for secrets. */
  readonly said: readonly string[]
  open(token: string, more?: { timeout?: number; env?: NodeJS.ProcessEnv }): Entries
}

async function setup(t: TestContext): Promise<Setup> {
  const service = await startCacheService()
  const folder = mkdtempSync(join(tmpdir(), 'entries-'))
  const said: string[] = []
  const take = (message: string) => void said.push(message)
  const log: Log = { debug: take, info: take, warning: take, group: (_, work) => work() }
  t.after(async () => {
    await service.close()
    rmSync(folder, { recursive: true })
    for (const secret of service.secrets())
      assert.ok(!said.some(line => line.includes(secret)), said.join('\n'))
  })
  // The waits of the client between its attempts take half a minute.
  const NODE_OPTIONS = `--import=${join(root, '__tests__/harness/cache-service/quick-retries.ts')}`
  return {
    ...{ service, folder, said },
    open: (token, { timeout, env = {} } = {}) =>
      entries({
        client: join(root, 'src/cache-client.ts'),
        env: { PATH: process.env.PATH, HOME: folder, NODE_OPTIONS, ...service.env(token), ...env },
        log,
        ...(timeout === undefined ? {} : { timeout }),
      }),
  }
}

function write(path: string, content: string): string {
  mkdirSync(path, { recursive: true })
  writeFileSync(join(path, 'file'), content)
  return path
}

test('what was saved is restored elsewhere, by key and by the newest prefix', async t => {
  const { service, folder, open } = await setup(t)
  const one = open(service.token(main))
  for (const name of ['1', '2']) {
    assert.deepEqual(await one.save(write(join(folder, 'a/data'), name), `key-${name}`), { outcome: 'saved' })
  }
  const other = join(folder, 'somewhere/else/data')
  assert.deepEqual(await one.restore(other, 'key-1'), { outcome: 'restored', key: 'key-1' })
  assert.equal(readFileSync(join(other, 'file'), 'utf8'), '1')
  assert.deepEqual(await one.restore(other, 'key-', ['key-']), { outcome: 'restored', key: 'key-2' })
  assert.equal(readFileSync(join(other, 'file'), 'utf8'), '2')
  assert.deepEqual(await one.find(join(folder, 'data'), 'none', ['key-']), {
    outcome: 'restored',
    key: 'key-2',
  })
  assert.deepEqual(await one.restore(join(folder, 'other'), 'key-1'), { outcome: 'missing' })
  assert.equal(one.calls, service.calls.length)
  assert.equal(service.counts().DownloadBlob.calls, 2)
})

test('a file can be an entry', async t => {
  const { service, folder, open } = await setup(t)
  writeFileSync(join(folder, 'file.tar.zst'), 'content')
  const one = open(service.token(main))
  assert.deepEqual(await one.save(join(folder, 'file.tar.zst'), 'key'), { outcome: 'saved' })
  const again = join(folder, 'again/file.tar.zst')
  assert.deepEqual(await one.restore(again, 'key'), { outcome: 'restored', key: 'key' })
  assert.equal(readFileSync(again, 'utf8'), 'content')
})

test('a key that is taken is told from trouble', async t => {
  const { service, folder, open } = await setup(t)
  const path = write(join(folder, 'data'), 'x')
  const one = open(service.token(main))
  assert.deepEqual(await one.save(path, 'key'), { outcome: 'saved' })
  assert.deepEqual(await one.save(path, 'key'), { outcome: 'exists' })
  service.fault({ method: 'FinalizeCacheEntryUpload', status: 404, times: 1 })
  const lost = await one.save(path, 'reserved')
  assert.equal(lost.outcome, 'failed')
  assert.deepEqual(await one.save(path, 'reserved'), { outcome: 'exists' })
  assert.deepEqual(await one.find(path, 'reserved'), { outcome: 'missing' })
})

test('a job that may only read is told from trouble', async t => {
  const { service, folder, open } = await setup(t)
  const path = write(join(folder, 'data'), 'x')
  await open(service.token(main)).save(path, 'key')
  const reader = open(service.token({ ...main, readOnly: true }))
  assert.deepEqual(await reader.save(path, 'other'), {
    outcome: 'denied',
    why: 'cache write denied: the token of this job is read-only',
  })
  assert.equal((await reader.restore(path, 'key')).outcome, 'restored')
  const mode = open(service.token(main), { env: { ACTIONS_CACHE_MODE: 'read' } })
  assert.equal((await mode.save(path, 'other')).outcome, 'denied')
  const none = await open(service.token({})).restore(path, 'key')
  assert.equal(none.outcome, 'failed')
  assert.match('why' in none ? none.why : '', /cache read denied/)
})

test('trouble with the service is said in one line', async t => {
  const { service, folder, open } = await setup(t)
  const path = write(join(folder, 'data'), 'x')
  const one = open(service.token(main))
  await one.save(path, 'key')
  const outcomes: string[] = []
  const attempt = async (saving: boolean) => {
    const result = saving ? await one.save(path, 'other') : await one.restore(path, 'key')
    assert.equal(result.outcome, 'failed')
    const why = 'why' in result ? result.why : ''
    assert.match(why, /^\S.*\S$/)
    outcomes.push(why)
  }
  for (const [method, saving] of [
    ['CreateCacheEntry', true],
    ['GetCacheEntryDownloadURL', false],
  ] as const) {
    for (const trouble of [{ status: 429 }, { status: 503 }, { kind: 'reset' }] as const) {
      const fault = service.fault({ method, ...trouble })
      await attempt(saving)
      fault.clear()
    }
  }
  for (const trouble of [{ status: 404 }, { kind: 'truncate' }, { kind: 'corrupt' }] as const) {
    const fault = service.fault({ method: 'DownloadBlob', ...trouble })
    await attempt(false)
    fault.clear()
  }
  assert.match(outcomes[0] ?? '', /429/)
  assert.match(outcomes[1] ?? '', /503/)
  await service.down()
  await attempt(true)
  await attempt(false)
})

test('what cannot be saved at all is no exception', async t => {
  const { service, folder, open } = await setup(t)
  const one = open(service.token(main))
  const missing = await one.save(join(folder, 'missing'), 'key')
  assert.equal(missing.outcome, 'failed')
  const wrong = await one.save(write(join(folder, 'data'), 'x'), 'a,b')
  assert.deepEqual(wrong, { outcome: 'failed', why: 'Key Validation Error: a,b cannot contain commas.' })
  const broken = entries({
    ...{ client: join(folder, 'missing.js'), env: {} },
    log: { debug: () => {}, info: () => {}, warning: () => {}, group: (_, work) => work() },
  })
  assert.deepEqual(await broken.restore(join(folder, 'data'), 'key'), {
    outcome: 'failed',
    why: 'the cache client ended without an answer',
  })
})

test('a service that does not answer is given up', async t => {
  const { service, folder, open } = await setup(t)
  const hold = service.hold({ method: 'GetCacheEntryDownloadURL' })
  const one = open(service.token(main), { timeout: 3000 })
  assert.deepEqual(await one.restore(join(folder, 'data'), 'key'), {
    outcome: 'failed',
    why: 'the cache service did not answer within 3 s',
  })
  hold.drop()
})

test('one process serves what is asked one after another, and a second one what is asked meanwhile', async t => {
  const { service, folder, open } = await setup(t)
  const before = childrenOf(process.pid)
  const mine = () => childrenOf(process.pid).filter(pid => !before.includes(pid))
  const one = open(service.token(main))
  await one.save(write(join(folder, 'a/data'), '1'), 'key-1')
  const [pid] = mine()
  assert.equal((await one.restore(join(folder, 'b/data'), 'key-1')).outcome, 'restored')
  assert.equal(readFileSync(join(folder, 'b/data/file'), 'utf8'), '1')
  assert.equal((await one.find(join(folder, 'c/data'), 'key-2')).outcome, 'missing')
  assert.deepEqual(mine(), [pid])
  const hold = service.hold({ method: 'GetCacheEntryDownloadURL' })
  const held = one.find(join(folder, 'c/data'), 'key-1')
  await hold.reached
  const saved = one.save(write(join(folder, 'd/data'), '2'), 'key-2')
  assert.deepEqual(await saved, { outcome: 'saved' })
  assert.equal(mine().length, 2)
  hold.release()
  assert.equal((await held).outcome, 'restored')
})

test('a process that is killed, idle or at work, is replaced', async t => {
  const { service, folder, open } = await setup(t)
  const before = childrenOf(process.pid)
  const mine = () => childrenOf(process.pid).filter(pid => !before.includes(pid))
  const one = open(service.token(main))
  const path = write(join(folder, 'data'), 'x')
  await one.save(path, 'key')
  for (const pid of mine()) process.kill(pid, 'SIGKILL')
  assert.equal((await one.find(path, 'key')).outcome, 'restored')

  // At work: what was only read is read again, what was being saved is not saved again.
  const reading = service.hold({ method: 'GetCacheEntryDownloadURL' })
  const asked = one.find(path, 'key')
  await reading.reached
  for (const pid of mine()) process.kill(pid, 'SIGKILL')
  reading.drop()
  assert.equal((await asked).outcome, 'restored')
  const writing = service.hold({ method: 'CreateCacheEntry' })
  const saved = one.save(path, 'other')
  await writing.reached
  for (const pid of mine()) process.kill(pid, 'SIGKILL')
  writing.drop()
  assert.deepEqual(await saved, { outcome: 'failed', why: 'the cache client ended without an answer' })
  assert.deepEqual(await one.save(path, 'other'), { outcome: 'saved' })

  // One that had trouble may go on speaking of it.
  const [troubled] = mine()
  const fault = service.fault({ method: 'GetCacheEntryDownloadURL', status: 503 })
  assert.equal((await one.find(path, 'key')).outcome, 'failed')
  fault.clear()
  assert.equal((await one.find(path, 'key')).outcome, 'restored')
  const after = mine().filter(pid => pid !== troubled)
  assert.equal(after.length, 1)
})

test('nobody waits for a process that has nothing to do, and it ends with the one that it is for', async t => {
  const { service, folder } = await setup(t)
  const script = join(folder, 'job.ts')
  const module = (path: string) => JSON.stringify(join(root, path))
  writeFileSync(
    script,
    `import { childrenOf } from ${module('__tests__/harness/children.ts')}
     import { entries } from ${module('src/cache/entries.ts')}
     import { silent } from ${module('src/util/log.ts')}
     const one = entries({ client: ${module('src/cache-client.ts')}, env: process.env, log: silent })
     await one.find(${JSON.stringify(join(folder, 'data'))}, 'key')
     // Nothing is left to do; who had to be waited for would have ended before.
     process.once('beforeExit', () => console.log(JSON.stringify(childrenOf(process.pid))))`,
  )
  const env = { PATH: process.env.PATH, HOME: folder, ...service.env(service.token(main)) }
  const { stdout } = await promisify(execFile)(process.execPath, [script], { env })
  const [pid, ...others] = JSON.parse(stdout)
  assert.equal(typeof pid, 'number')
  assert.deepEqual(others, [])
  // It hears of it at once; how soon it is gone is up to the machine.
  while (existsSync(`/proc/${pid}`)) await new Promise(resolve => setImmediate(resolve))
})

test('the inputs of the action do not reach the client', async t => {
  const { service, folder, open } = await setup(t)
  const spy = `import { writeFileSync } from 'node:fs'; writeFileSync('${folder}/env', JSON.stringify(process.env))`
  writeFileSync(join(folder, 'spy.mjs'), spy)
  const env = { INPUT_PASSWORD: 'hunter2', STATE_x: 'hunter2', NODE_OPTIONS: `--import=${folder}/spy.mjs` }
  await open(service.token(main), { env }).find(join(folder, 'data'), 'key')
  const seen = readFileSync(join(folder, 'env'), 'utf8')
  assert.match(seen, /ACTIONS_RUNTIME_TOKEN/)
  assert.doesNotMatch(seen, /hunter2/)
})

test('a runner without a cache service is known by its environment', () => {
  const token = { ACTIONS_RUNTIME_TOKEN: 'x' }
  assert.equal(hasCacheService({ ...token, ACTIONS_RESULTS_URL: 'http://x/' }), true)
  assert.equal(hasCacheService({ ...token, ACTIONS_CACHE_URL: 'http://x/' }), true)
  assert.equal(hasCacheService(token), false)
  assert.equal(hasCacheService({ ACTIONS_RESULTS_URL: 'http://x/' }), false)
})
