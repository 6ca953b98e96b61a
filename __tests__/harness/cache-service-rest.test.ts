import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Fixture, fixture, save } from './cache-service/fixture.ts'
import { defaultRepository } from './cache-service/tokens.ts'

type Listed = { total_count: number; actions_caches: { id: number; key: string; ref: string }[] }

const caches = `/repos/${defaultRepository}/actions/caches`

async function withEntries(t: TestContext): Promise<Fixture> {
  const made = await fixture(t)
  const { service, outcomes } = made
  await outcomes(service.token({ write: 'refs/heads/main' }), save('pack-1'), save('pack-2'), save('index'))
  await outcomes(service.token({ write: 'refs/heads/x' }), save('pack-1'))
  return made
}

function ask({ service }: Fixture, token: string, path: string, method = 'GET'): Promise<Response> {
  return fetch(`${service.url}${path}`, { method, headers: { authorization: `Bearer ${token}` } })
}

async function keys(answer: Promise<Response>): Promise<string[]> {
  const { actions_caches } = (await (await answer).json()) as Listed
  return actions_caches.map(({ key, ref }) => `${key} ${ref.replace('refs/heads/', '')}`)
}

test('the list can be filtered, sorted and paged', async t => {
  const made = await withEntries(t)
  const token = made.service.githubToken({ actions: 'read' })
  const oldest = `${caches}?sort=created_at&direction=asc`
  const all = ['pack-1 main', 'pack-2 main', 'index main', 'pack-1 x']
  assert.deepEqual(await keys(ask(made, token, oldest)), all)
  assert.deepEqual(await keys(ask(made, token, caches)), all.toReversed())
  assert.deepEqual(await keys(ask(made, token, `${oldest}&key=pack-`)), [
    'pack-1 main',
    'pack-2 main',
    'pack-1 x',
  ])
  assert.deepEqual(await keys(ask(made, token, `${oldest}&key=pack-1&ref=refs/heads/x`)), ['pack-1 x'])
  assert.deepEqual(await keys(ask(made, token, `${oldest}&per_page=3&page=2`)), ['pack-1 x'])
  const page = (await (await ask(made, token, `${caches}?per_page=1`)).json()) as Listed
  assert.equal(page.total_count, 4)
  assert.equal((await ask(made, token, `${caches}?sort=colour`)).status, 422)
})

test('entries are deleted by id, and by the beginning of their key', async t => {
  const made = await withEntries(t)
  const { service } = made
  const token = service.githubToken()
  const first = service.entries()[0]?.id
  assert.equal((await ask(made, token, `${caches}/${first}`, 'DELETE')).status, 204)
  assert.equal((await ask(made, token, `${caches}/${first}`, 'DELETE')).status, 404)
  assert.deepEqual(await keys(ask(made, token, `${caches}?key=pack`, 'DELETE')), ['pack-2 main', 'pack-1 x'])
  assert.equal((await ask(made, token, `${caches}?key=pack`, 'DELETE')).status, 404)
  assert.equal((await ask(made, token, caches, 'DELETE')).status, 422)
  assert.deepEqual(
    service.entries().map(({ key }) => key),
    ['index'],
  )
  assert.equal(service.counts().DeleteCacheById.calls, 2)
})

test('without actions: write nothing is deleted', async t => {
  const made = await withEntries(t)
  const { service } = made
  const id = service.entries()[0]?.id
  const reader = service.githubToken({ actions: 'read' })
  assert.equal((await ask(made, reader, `${caches}/${id}`, 'DELETE')).status, 403)
  assert.equal((await ask(made, reader, `${caches}?key=pack-1`, 'DELETE')).status, 403)
  assert.equal((await ask(made, service.githubToken({ actions: 'none' }), caches)).status, 403)
  assert.equal((await ask(made, 'guess', caches)).status, 401)
  assert.equal((await ask(made, service.token({ write: 'refs/heads/main' }), caches)).status, 401)
  const elsewhere = service.githubToken({ repository: 'someone/else' })
  assert.equal((await ask(made, elsewhere, caches)).status, 404)
  assert.equal(service.entries().length, 4)
})

test('faults speak the words of the REST API', async t => {
  const made = await withEntries(t)
  made.service.fault({ method: 'ListCaches', status: 429, message: 'slow down', retryAfter: 3, times: 1 })
  const answer = await ask(made, made.service.githubToken(), caches)
  assert.deepEqual([answer.status, answer.headers.get('retry-after')], [429, '3'])
  assert.deepEqual(await answer.json(), { message: 'slow down' })
})
