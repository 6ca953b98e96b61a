import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { entries } from '../../src/cache/entries.ts'
import { type Legs, legs } from '../../src/cache/legs.ts'
import { sha256 } from '../../src/util/digest.ts'
import { UserError } from '../../src/util/errors.ts'
import { silent } from '../../src/util/log.ts'
import { startCacheService } from '../harness/cache-service/service.ts'

const root = join(import.meta.dirname, '../..')
const NODE_OPTIONS = `--import=${join(root, '__tests__/harness/cache-service/quick-retries.ts')}`
const [amd64, arm64, v7] = ['linux/amd64', 'linux/arm64', 'linux/arm/v7']

async function setup(t: TestContext) {
  const service = await startCacheService()
  const folder = await mkdtemp(join(tmpdir(), 'legs-'))
  t.after(async () => {
    await service.close()
    await rm(folder, { recursive: true })
  })
  let jobs = 0
  const leg = (more: { run?: string; attempt?: string; together?: string; token?: string } = {}): Legs => {
    const {
      run = '1',
      attempt = '1',
      together = 'a',
      token = service.token({ write: 'refs/heads/main' }),
    } = more
    const env = { PATH: process.env.PATH, HOME: folder, NODE_OPTIONS, ...service.env(token) }
    return legs(entries({ client: join(root, 'src/cache-client.ts'), env, log: silent }), {
      ...{ runId: run, runAttempt: attempt, together },
      // Each on a machine of its own.
      scratch: join(folder, String(++jobs), 'temp'),
    })
  }
  return { service, leg }
}

test('a leg finds what the others of the run have pushed', async t => {
  const { leg } = await setup(t)
  await leg().tell(amd64, sha256('x'))
  await leg().tell(v7, sha256('y'))
  assert.deepEqual(
    await leg().ask([amd64, arm64, v7]),
    new Map([
      [amd64, sha256('x')],
      [v7, sha256('y')],
    ]),
  )
  // The name of one platform begins with that of another.
  assert.deepEqual(await leg().ask(['linux/arm']), new Map())
  for (const other of [{ run: '11' }, { run: '2' }, { together: 'b' }])
    assert.deepEqual(await leg(other).ask([amd64]), new Map(), JSON.stringify(other))
})

test('the newest counts, of a leg that ran again and of one that comes to the same', async t => {
  const { leg } = await setup(t)
  for (const [attempt, content] of [
    ['1', 'x'],
    ['1', 'x'],
    ['2', 'y'],
    ['3', 'x'],
  ] as const) {
    await leg({ attempt }).tell(amd64, sha256(content))
    assert.deepEqual(await leg({ attempt }).ask([amd64]), new Map([[amd64, sha256(content)]]))
  }
})

test('a service that fails, or takes nothing, is an error in words', async t => {
  const { service, leg } = await setup(t)
  const refused = (words: RegExp) => (error: unknown) => {
    assert.ok(error instanceof UserError, String(error))
    assert.match(error.message, words)
    assert.ok(error.advice)
    return true
  }
  const reader = leg({ token: service.token({ read: ['refs/heads/main'] }) })
  await assert.rejects(
    reader.tell(amd64, sha256('x')),
    refused(/do not find each other: linux\/amd64 could not be written/),
  )
  const one = leg()
  await service.close()
  await assert.rejects(
    one.ask([amd64]),
    refused(/do not find each other: linux\/amd64 could not be looked up/),
  )
})
