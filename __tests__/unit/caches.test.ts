import assert from 'node:assert/strict'
import { test } from 'node:test'
import { httpSender } from '../../src/registry/transport.ts'
import { actionsCaches } from '../../src/runner/caches.ts'
import type { Send } from '../../src/runner/github-api.ts'
import { fixture, save } from '../harness/cache-service/fixture.ts'
import { defaultRepository as repository } from '../harness/cache-service/tokens.ts'

const newest = { order: 'newest first' } as const

test('entries are listed in both orders, of one ref or of all, and deleted', async t => {
  const { service, outcomes } = await fixture(t)
  await outcomes(service.token({ write: 'refs/heads/main' }), save('pack-1'), save('pack-2'), save('index'))
  await outcomes(service.token({ write: 'refs/heads/x' }), save('pack-1'))
  const api = actionsCaches({
    ...{ apiUrl: service.url, repository, send: httpSender({}) },
    token: service.githubToken(),
  })
  const list = async (options: Parameters<typeof api.list>[1]) => {
    const listing = await api.list('pack-', options)
    assert.ok(listing !== 'denied' && listing.complete)
    return listing.entries
  }
  const [young, second, old] = await list(newest)
  assert.deepEqual([young?.ref, second?.key, old?.key], ['refs/heads/x', 'pack-2', 'pack-1'])
  const own = await list({ order: 'oldest first', ref: 'refs/heads/main' })
  assert.deepEqual(own, [old, second])
  const { created = 0, size } =
    service.entries().map(({ createdAt, size }) => ({ created: Date.parse(createdAt), size }))[0] ?? {}
  assert.deepEqual([old?.created, old?.size], [Math.floor(created / 1000), size])
  assert.equal(await api.delete(old?.id ?? 0), 'deleted')
  assert.equal(await api.delete(old?.id ?? 0), 'gone')
  assert.equal((await list(newest)).length, 2)
})

test('what may not be seen or deleted is told from trouble, and from asking too often', async () => {
  const answering = (status: number, body = '{}') => {
    const send: Send = async () => ({ status, body: Buffer.from(body) })
    return actionsCaches({ apiUrl: 'https://github.example/api/v3', repository, token: 'x', send })
  }
  for (const status of [401, 403, 404]) assert.equal(await answering(status).list('a', newest), 'denied')
  for (const status of [401, 403]) assert.equal(await answering(status).delete(1), 'denied')
  const often = '{"message":"API rate limit exceeded for installation"}'
  for (const api of [answering(403, often), answering(429), answering(502), answering(200, '{"a":1}')]) {
    await assert.rejects(async () => api.list('a', newest))
  }
  for (const api of [answering(403, often), answering(500)]) await assert.rejects(async () => api.delete(1))
  const more = await answering(200, '{"total_count":101,"actions_caches":[]}').list('a', newest)
  assert.deepEqual(more, { entries: [], complete: false })
})

test('the token goes to the API of the server that the job belongs to, in a header', async () => {
  const asked: Parameters<Send>[0][] = []
  const send: Send = async request => {
    asked.push(request)
    return { status: 204, body: Buffer.alloc(0) }
  }
  const apiUrl = 'https://github.example/api/v3'
  const api = actionsCaches({ apiUrl, repository: 'o/r', token: 'secret', send })
  assert.equal(await api.delete(7), 'deleted')
  await assert.rejects(async () => api.list('a+b&c', { ...newest, ref: 'refs/heads/x y' }))
  assert.deepEqual(
    asked.map(({ method, url }) => `${method} ${url}`),
    [
      'DELETE https://github.example/api/v3/repos/o/r/actions/caches/7',
      'GET https://github.example/api/v3/repos/o/r/actions/caches?key=a%2Bb%26c&sort=created_at&direction=desc&per_page=100&ref=refs%2Fheads%2Fx+y',
    ],
  )
  for (const { headers } of asked) assert.equal(headers.authorization, 'Bearer secret')
})
