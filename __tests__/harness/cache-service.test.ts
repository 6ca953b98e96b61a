import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fixture, noise, restore, save } from './cache-service/fixture.ts'
import type { Step } from './cache-service/job.ts'
import { startCacheService } from './cache-service/service.ts'

const main = { write: 'refs/heads/main' }

test('what was saved is restored, byte for byte', async t => {
  const { service, outcomes, write, read, clear } = await fixture(t)
  const token = service.token(main)
  write('the content')
  assert.deepEqual(await outcomes(token, save('key')), [service.entries()[0]?.id])
  clear()
  assert.deepEqual(await outcomes(token, restore('key')), ['key'])
  assert.equal(read(), 'the content')
  assert.deepEqual(
    service.calls.map(({ method, key, status }) => `${method} ${key} ${status}`),
    [
      'CreateCacheEntry key 200',
      'UploadBlob key 201',
      'FinalizeCacheEntryUpload key 200',
      'GetCacheEntryDownloadURL key 200',
      'DownloadBlob key 200',
    ],
  )
})

test('an entry cannot be written again', async t => {
  const { service, outcomes, write, read } = await fixture(t)
  const token = service.token(main)
  write('first')
  await outcomes(token, save('key'))
  write('second')
  assert.deepEqual(await outcomes(token, save('key'), restore('key')), [-1, 'key'])
  assert.equal(read(), 'first')
  assert.deepEqual(
    service.calls.filter(({ method }) => method === 'CreateCacheEntry').map(({ status }) => status),
    [200, 409],
  )
  assert.equal(service.counts().UploadBlob.calls, 1)
})

test('a key that was reserved and never finalised is not found and stays blocked', async t => {
  const { service, outcomes } = await fixture(t)
  const token = service.token(main)
  service.fault({ method: 'UploadBlob', status: 403, times: 1 })
  assert.deepEqual(await outcomes(token, save('key'), restore('key'), save('key')), [-1, null, -1])
  assert.deepEqual(
    service.reservations().map(({ key }) => key),
    ['key'],
  )
  assert.deepEqual([service.entries(), service.counts().DownloadBlob.calls], [[], 0])
  assert.equal(service.delete('key'), 1)
  const [id] = await outcomes(token, save('key'))
  assert.ok(Number(id) > 0)
})

test('entries of another list of paths have another version, and are not found', async t => {
  const { service, outcomes } = await fixture(t)
  const token = service.token(main)
  const other: Step = { restore: ['data/'], key: 'key' }
  const [id, found, missed] = await outcomes(token, save('key'), restore('key'), other)
  assert.deepEqual([typeof id, found, missed], ['number', 'key', null])
  const again: Step = { save: ['data/'], key: 'key' }
  const [second] = await outcomes(token, again)
  assert.ok(Number(second) > Number(id))
})

test('keys are looked up in their order: each first as it is, then the newest that begins so', async t => {
  const { service, outcomes } = await fixture(t)
  const token = service.token(main)
  await outcomes(token, save('a'), save('a-old'), save('a-new'), save('b-1'))
  assert.deepEqual(
    await outcomes(
      token,
      restore('a'),
      restore('a-'),
      restore('miss', 'b-', 'a-'),
      restore('miss', 'c-', 'a-'),
      restore('b', 'a'),
      restore('miss', 'c-'),
      { restore: ['data'], key: 'miss', restoreKeys: ['a-o'], lookupOnly: true },
    ),
    ['a', 'a-new', 'b-1', 'a-new', 'b-1', null, 'a-old'],
  )
  assert.equal(service.counts().DownloadBlob.calls, 5)
})

test('the own ref is searched before the base, and that before the default branch', async t => {
  const { service, outcomes } = await fixture(t)
  const base = { write: 'refs/heads/base', read: ['refs/heads/main'] }
  const pull = { write: 'refs/pull/7/merge', read: ['refs/heads/base', 'refs/heads/main'] }
  const pullToken = service.token(pull)
  await outcomes(pullToken, save('p-pull'))
  await outcomes(service.token(base), save('p-base'), save('q-base'))
  await outcomes(service.token(main), save('p-main'), save('q-main'), save('r-main'))
  assert.deepEqual(
    await outcomes(pullToken, restore('p-'), restore('q-'), restore('r-'), restore('p-main')),
    ['p-pull', 'q-base', 'r-main', 'p-main'],
  )
  assert.deepEqual(await outcomes(service.token(main), restore('p-'), restore('p-pull')), ['p-main', null])
  const [own] = await outcomes(pullToken, save('p-main'))
  assert.ok(Number(own) > 0, 'the same key in another scope is another entry')
})

test('repositories do not see each other', async t => {
  const { service, outcomes } = await fixture(t)
  await outcomes(service.token(main), save('key'))
  const other = service.token({ ...main, repository: 'someone/else' })
  assert.deepEqual(await outcomes(other, restore('key')), [null])
})

test('a read-only token restores and does not save; one without scopes does neither', async t => {
  const { service, job, outcomes } = await fixture(t)
  await outcomes(service.token(main), save('key'))
  const readOnly = await job(service.token({ ...main, readOnly: true }), [save('other'), restore('key')])
  assert.deepEqual(readOnly.outcomes, [-1, 'key'])
  assert.match(readOnly.log, /::warning::.*cache write denied: /)
  const none = await job(service.token({}), [save('other'), restore('key')])
  assert.deepEqual(none.outcomes, [-1, null])
  assert.match(none.log, /::warning::.*cache read denied: /)
})

test('unknown tokens and unsigned blobs are refused', async t => {
  const { service, outcomes } = await fixture(t)
  await outcomes(service.token(main), save('key'))
  service.forget()
  assert.deepEqual(await outcomes('guess', save('key'), restore('key')), [-1, null])
  assert.deepEqual(
    service.calls.map(({ status }) => status),
    [401, 401],
  )
  const blob = `${service.url}/account/container/${service.entries()[0]?.blob}`
  assert.equal((await fetch(`${blob}?sp=r`)).status, 403)
  assert.equal((await fetch(`${blob}?sp=r&sig=guess`)).status, 403)
  assert.equal((await fetch(`${blob}?sp=w&sig=guess`, { method: 'PUT', body: 'x' })).status, 403)
})

test('no signature but the one for reading opens what is finalised', async t => {
  const { service, outcomes } = await fixture(t)
  await outcomes(service.token(main), save('key'), restore('key'))
  const blob = `${service.url}/account/container/${service.entries()[0]?.blob}`
  const answers = await Promise.all(
    service.secrets().map(async signature => {
      const put = await fetch(`${blob}?sig=${signature}`, { method: 'PUT', body: 'x' })
      return [put.status, (await fetch(`${blob}?sig=${signature}`)).status]
    }),
  )
  assert.deepEqual(answers, [
    [403, 403], // the job's token
    [403, 200], // the download's signature
  ])
})

test('above the quota the least recently used entries go', async t => {
  const { service, outcomes, write } = await fixture(t, { quota: 9000 })
  const token = service.token(main)
  for (const key of ['a', 'b']) {
    write(noise(3))
    await outcomes(token, save(key))
  }
  write(noise(3))
  await outcomes(token, restore('a'), save('c'))
  assert.deepEqual(
    service.entries().map(({ key }) => key),
    ['a', 'c'],
  )
  assert.deepEqual(await outcomes(token, restore('b')), [null])
})

test('new entries are found late while lookups are frozen, and their keys are blocked at once', async t => {
  const { service, outcomes } = await fixture(t)
  const token = service.token(main)
  await outcomes(token, save('k-1'))
  service.freeze()
  const [saved, found, again] = await outcomes(token, save('k-2'), restore('k-'), save('k-2'))
  assert.deepEqual([Number(saved) > 0, found, again], [true, 'k-1', -1])
  service.thaw()
  assert.deepEqual(await outcomes(token, restore('k-')), ['k-2'])
})

test('a given directory keeps entries for the next service, one of its own goes', async t => {
  const directory = mkdtempSync(join(tmpdir(), 'cache-kept-'))
  t.after(() => rmSync(directory, { recursive: true }))
  const first = await fixture(t, { directory })
  await first.outcomes(first.service.token(main), save('key'))
  await first.service.close()

  const second = await fixture(t, { directory })
  assert.deepEqual(await second.outcomes(second.service.token(main), restore('key'), save('key')), [
    'key',
    -1,
  ])
  const old = first.service.secrets()[0] ?? ''
  assert.deepEqual(await second.outcomes(old, restore('key')), [null])

  const own = await startCacheService()
  assert.ok(existsSync(own.directory))
  await own.close()
  assert.ok(!existsSync(own.directory))
})
