import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fixture, noise, restore, save } from './cache-service/fixture.ts'

const main = { write: 'refs/heads/main' }
const quick = { preload: ['quick-retries.ts'] }

test('429 is an answer that the client does not ask again for', async t => {
  const { service, job } = await fixture(t)
  const token = service.token(main)
  service.fault({ method: 'CreateCacheEntry', status: 429, times: 1 })
  service.fault({ method: 'GetCacheEntryDownloadURL', status: 429, times: 1, retryAfter: 7 })
  const twice = [save('key'), restore('key'), save('key'), restore('key')]
  const { outcomes, log } = await job(token, twice)
  assert.deepEqual(outcomes, [-1, null, service.entries()[0]?.id, 'key'])
  assert.match(log, /rate limit will reset in 7 seconds/)
  assert.deepEqual(
    service.calls.map(({ status }) => status),
    [429, 429, 200, 201, 200, 200, 200],
  )
})

for (const status of [500, 502, 503, 504]) {
  test(`${status} is asked again for, and a service that stays so is no cache`, async t => {
    const { service, job } = await fixture(t)
    const token = service.token(main)
    service.fault({ method: 'CreateCacheEntry', status, times: 2 })
    service.fault({ method: 'GetCacheEntryDownloadURL', status })
    const { outcomes } = await job(token, [save('key'), restore('key')], quick)
    assert.deepEqual(outcomes, [service.entries()[0]?.id, null])
    assert.equal(service.counts().CreateCacheEntry.calls, 3)
    assert.equal(service.counts().GetCacheEntryDownloadURL.calls, 5)
  })
}

test('a reset connection ends the call, not the job', async t => {
  const { service, outcomes } = await fixture(t)
  service.fault({ method: '*', kind: 'reset', times: 2 })
  const token = service.token(main)
  assert.deepEqual(await outcomes(token, save('key'), restore('key')), [-1, null])
  assert.deepEqual(
    service.calls.map(({ method, status }) => [method, status]),
    [
      ['CreateCacheEntry', 0],
      ['GetCacheEntryDownloadURL', 0],
    ],
  )
})

test('a lost answer leaves done what was done', async t => {
  const { service, outcomes } = await fixture(t)
  const token = service.token(main)
  service.fault({ method: 'CreateCacheEntry', key: 'reserved', kind: 'lost', times: 1 })
  service.fault({ method: 'FinalizeCacheEntryUpload', key: 'saved', kind: 'lost', times: 1 })
  assert.deepEqual(await outcomes(token, save('reserved'), save('saved'), restore('saved')), [
    -1,
    -1,
    'saved',
  ])
  assert.deepEqual(
    service.reservations().map(({ key }) => key),
    ['reserved'],
  )
})

test('an upload that is cut in the middle is begun again, and leaves nothing behind', async t => {
  const { service, outcomes, write, read, clear } = await fixture(t)
  const token = service.token(main)
  write(noise(1024).toString('hex'))
  const before = read()
  service.fault({ method: 'UploadBlob', kind: 'cut', times: 1 })
  await outcomes(token, save('key'))
  const [first, second] = service.calls.filter(({ method }) => method === 'UploadBlob')
  assert.equal(first?.status, 0)
  assert.equal(second?.bytesIn, service.entries()[0]?.size)
  assert.ok(first !== undefined && first.bytesIn > 0 && first.bytesIn < (second?.bytesIn ?? 0))
  assert.equal(readdirSync(join(service.directory, 'blobs')).length, 1)
  clear()
  assert.deepEqual(await outcomes(token, restore('key')), ['key'])
  assert.equal(read(), before)
})

test('an upload whose client goes away leaves nothing behind', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'cache-kept-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const { service, start } = await fixture(t, { directory })
  const hold = service.hold({ method: 'UploadBlob' })
  // The client's own request never gets further; its signature is used for one that breaks off.
  const { child, done } = start(service.token(main), [save('key')])
  await hold.reached
  child.kill('SIGKILL')
  await done
  hold.drop()
  const blob = service.reservations()[0]?.blob
  const signature = service.secrets()[1]
  const broken = request(`${service.url}/account/container/${blob}?sig=${signature}`, {
    method: 'PUT',
    headers: { 'x-ms-blob-type': 'BlockBlob', 'content-length': '1000' },
  })
  broken.on('error', () => {})
  const begun = service.hold({ method: 'UploadBlob' })
  broken.write('only this')
  await begun.reached
  begun.release()
  broken.destroy()
  await service.close()
  assert.deepEqual(readdirSync(join(directory, 'blobs')), [])
})

for (const trouble of [{ kind: 'cut' }, { kind: 'reset' }, { status: 503 }] as const) {
  test(`an upload that never comes through is no entry: ${JSON.stringify(trouble)}`, async t => {
    const { service, job, write } = await fixture(t)
    write(noise(1024))
    service.fault({ method: 'UploadBlob', ...trouble })
    const { outcomes } = await job(service.token(main), [save('key')], quick)
    assert.deepEqual(outcomes, [-1])
    assert.equal(service.counts().UploadBlob.calls, 4)
    assert.deepEqual([service.entries().length, service.reservations().length], [0, 1])
  })
}

test('a finalisation that finds nothing is no entry', async t => {
  const { service, job } = await fixture(t)
  service.fault({ method: 'FinalizeCacheEntryUpload', status: 404, times: 1 })
  const { outcomes, log } = await job(service.token(main), [save('key'), restore('key')])
  assert.deepEqual(outcomes, [-1, null])
  assert.match(log, /::warning::.*404/)
})

test('a blob that is missing, cut, truncated or corrupt is a miss', async t => {
  const { service, outcomes, write, clear } = await fixture(t)
  const token = service.token(main)
  write(noise(1024))
  await outcomes(token, save('key'))
  clear()
  const lookup = restore('key')
  service.fault({ method: 'DownloadBlob', status: 404, times: 1 })
  assert.deepEqual(await outcomes(token, lookup), [null], 'missing')
  for (const kind of ['cut', 'truncate', 'corrupt'] as const) {
    const fault = service.fault({ method: 'DownloadBlob', kind, times: 1 })
    assert.deepEqual(await outcomes(token, lookup), [null], kind)
    assert.equal(fault.hits, 1, kind)
  }
  assert.deepEqual(await outcomes(token, lookup), ['key'])
  const size = service.entries()[0]?.size ?? 0
  const sent = service.calls.filter(({ method }) => method === 'DownloadBlob').map(call => call.bytesOut)
  assert.deepEqual(sent.slice(1), [Math.floor(size / 2), Math.floor(size / 2), size, size])
})

test('a fault can be for some keys, leave the first calls alone, and be cleared', async t => {
  const { service, outcomes } = await fixture(t)
  const token = service.token(main)
  const late = service.fault({ method: 'CreateCacheEntry', key: 'pack-', status: 429, after: 1 })
  const saved = await outcomes(token, save('pack-1'), save('pack-2'), save('index'))
  assert.deepEqual(
    saved.map(id => Number(id) > 0),
    [true, false, true],
  )
  assert.equal(late.hits, 1)
  late.clear()
  const [again] = await outcomes(token, save('pack-2'))
  assert.ok(Number(again) > 0)
})

test('a service that is down refuses connections, and comes back where it was', async t => {
  const { service, outcomes } = await fixture(t)
  const token = service.token(main)
  await outcomes(token, save('key'))
  await service.down()
  assert.deepEqual(await outcomes(token, save('other'), restore('key')), [-1, null])
  await service.up()
  assert.deepEqual(await outcomes(token, restore('key')), ['key'])
  assert.equal(service.counts().CreateCacheEntry.calls, 1)
})

test('a service that hangs answers nothing until it closes', async t => {
  const { service } = await fixture(t)
  service.fault({ method: '*', kind: 'hang' })
  const hold = service.hold({ method: 'ListCaches' })
  const answer = fetch(`${service.url}/repos/o/r/actions/caches`)
  await hold.reached
  hold.release()
  await Promise.all([assert.rejects(answer), service.close()])
  assert.deepEqual(
    service.calls.map(({ status }) => status),
    [0],
  )
})

test('a job that is killed while it uploads leaves a reservation and no entry', async t => {
  const { service, start, outcomes } = await fixture(t)
  const token = service.token(main)
  for (const method of ['UploadBlob', 'FinalizeCacheEntryUpload'] as const) {
    const hold = service.hold({ method })
    const { child, done } = start(token, [save(method)])
    assert.equal((await hold.reached).key, method)
    child.kill('SIGKILL')
    assert.deepEqual((await done).outcomes, [])
    hold.drop()
  }
  const found = await outcomes(token, restore('UploadBlob'), restore('FinalizeCacheEntryUpload'))
  assert.deepEqual(found, [null, null])
  assert.deepEqual(
    service.reservations().map(({ key }) => key),
    ['UploadBlob', 'FinalizeCacheEntryUpload'],
  )
})

test('a call that was held goes on when it is released', async t => {
  const { service, start } = await fixture(t)
  const hold = service.hold({ method: 'UploadBlob' })
  const job = start(service.token(main), [save('key')])
  assert.equal((await hold.reached).status, 0)
  assert.equal(service.counts().FinalizeCacheEntryUpload.calls, 0)
  hold.release()
  assert.deepEqual((await job.done).outcomes, [service.entries()[0]?.id])
})
