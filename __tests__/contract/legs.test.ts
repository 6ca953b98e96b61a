import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { entries } from '../../src/cache/entries.ts'
import { type Legs, legs, withoutZstd } from '../../src/cache/legs.ts'
import { sha256 } from '../../src/util/digest.ts'
import { UserError } from '../../src/util/errors.ts'
import { silent } from '../../src/util/log.ts'
import { startCacheService } from '../harness/cache-service/service.ts'

const root = join(import.meta.dirname, '../..')
const NODE_OPTIONS = `--import=${join(root, '__tests__/harness/cache-service/quick-retries.ts')}`
const [amd64, arm64, v7] = ['linux/amd64', 'linux/arm64', 'linux/arm/v7']
const main = 'refs/heads/main'

type LegOptions = {
  run?: string
  attempt?: number
  together?: string
  token?: string
  path?: string
  /** Called in place of a wait, with its milliseconds. */
  onWait?: (milliseconds: number) => void
}

async function setup(t: TestContext) {
  const service = await startCacheService()
  const folder = await mkdtemp(join(tmpdir(), 'legs-'))
  t.after(async () => {
    await service.close()
    await rm(folder, { recursive: true })
  })
  let jobs = 0
  const leg = async (more: LegOptions = {}): Promise<Legs> => {
    const { run = '1', attempt = 1, together = 'a', token = service.token({ write: main }) } = more
    // Each on a machine of its own.
    const scratch = join(folder, String(++jobs), 'temp')
    const env = { PATH: more.path ?? process.env.PATH, HOME: folder, NODE_OPTIONS, ...service.env(token) }
    const plain = await withoutZstd(env, scratch)
    return legs(entries({ client: join(root, 'dist/cache-client.js'), env: plain, log: silent }), {
      ...{ runId: run, runAttempt: attempt, together, scratch },
      sleep: async milliseconds => more.onWait?.(milliseconds),
    })
  }
  return { service, folder, leg }
}

test('a leg finds what the others of the run have pushed', async t => {
  const { service, leg } = await setup(t)
  const x = await leg()
  await x.tell(amd64, sha256('x'))
  await x.tell(v7, sha256('y'))
  service.forget()
  const other = await leg()
  await other.tell(arm64, sha256('z'))
  assert.deepEqual(
    await other.meet([arm64], [amd64, v7]),
    new Map([
      [amd64, sha256('x')],
      [v7, sha256('y')],
    ]),
  )
  assert.equal(service.counts().total.calls, 5, 'three to tell, one for each other platform')
  // The name of one platform begins with that of another.
  assert.deepEqual(await other.look(['linux/arm']), new Map())
  for (const apart of [{ run: '11' }, { run: '2' }, { together: 'b' }])
    assert.deepEqual(await (await leg(apart)).look([amd64]), new Map(), JSON.stringify(apart))
})

test('of two that do not see each other one waits until it does, and the other goes on', async t => {
  const { service, leg } = await setup(t)
  let waited = 0
  const onWait = () => {
    if (++waited === 3) service.thaw()
  }
  const [one, two] = [await leg({ onWait }), await leg({ onWait })]
  service.freeze()
  await Promise.all([one.tell(amd64, sha256('x')), two.tell(arm64, sha256('y'))])
  const [first, second] = await Promise.all([one.meet([amd64], [arm64]), two.meet([arm64], [amd64])])
  assert.equal(first.size + second.size, 1, 'one is the first of the two')
  assert.ok(first.get(arm64) === sha256('y') || second.get(amd64) === sha256('x'))
  assert.ok(waited >= 3)
})

test('a job for several systems takes the key of each: whoever comes after it finds all', async t => {
  const { service, leg } = await setup(t)
  const [one, two] = [await leg({ onWait: () => service.thaw() }), await leg()]
  service.freeze()
  await one.tell(amd64, sha256('x'))
  await two.tell(arm64, sha256('y'))
  await two.tell(v7, sha256('z'))
  assert.equal((await two.meet([arm64, v7], [amd64])).size, 0)
  assert.equal((await one.meet([amd64], [arm64, v7])).size, 2)
})

test('a job that runs again is the first once more, where the other has not told', async t => {
  const { leg } = await setup(t)
  for (const attempt of [1, 2]) {
    const job = await leg({ attempt })
    await job.tell(amd64, sha256(`x${attempt}`))
    assert.equal((await job.meet([amd64], [arm64])).size, 0)
  }
})

test('what must be there and is never shown is an error in words', async t => {
  const { service, leg } = await setup(t)
  const waits: number[] = []
  const [one, two] = [await leg(), await leg({ onWait: milliseconds => void waits.push(milliseconds) })]
  service.freeze()
  await one.tell(amd64, sha256('x'))
  await two.tell(arm64, sha256('y'))
  assert.equal((await one.meet([amd64], [arm64])).size, 0)
  await assert.rejects(two.meet([arm64], [amd64]), (error: unknown) => {
    assert.ok(error instanceof UserError)
    assert.match(
      error.message,
      /the job for linux\/amd64 has left its digest there, and the service does not show it/,
    )
    return true
  })
  const seconds = waits.reduce((sum, wait) => sum + wait, 0) / 1000
  assert.ok(seconds >= 120 && seconds <= 300, `${seconds}`)
})

test('a leg that runs again: its newest counts, and what others pushed in the attempt before', async t => {
  const { leg } = await setup(t)
  await (await leg()).tell(amd64, sha256('old'))
  await (await leg()).tell(arm64, sha256('y'))
  const again = await leg({ attempt: 2 })
  await again.tell(amd64, sha256('x'))
  assert.deepEqual(await again.meet([amd64], [arm64]), new Map([[arm64, sha256('y')]]))
  // The other one runs again, too, and comes second.
  const other = await leg({ attempt: 2 })
  await other.tell(arm64, sha256('z'))
  assert.deepEqual(await other.meet([arm64], [amd64]), new Map([[amd64, sha256('x')]]))
  assert.deepEqual(await again.look([arm64]), new Map([[arm64, sha256('z')]]))
})

test('two that run again do not take the old one of each other where the new one is not shown yet', async t => {
  const { service, leg } = await setup(t)
  await (await leg()).tell(amd64, sha256('old amd64'))
  await (await leg()).tell(arm64, sha256('old arm64'))
  const options = { attempt: 2, onWait: () => service.thaw() }
  const [one, two] = [await leg(options), await leg(options)]
  service.freeze()
  await one.tell(amd64, sha256('x'))
  await two.tell(arm64, sha256('y'))
  assert.equal((await one.meet([amd64], [arm64])).get(arm64), sha256('old arm64'), 'it may not run again')
  assert.equal((await two.meet([arm64], [amd64])).get(amd64), sha256('x'))
})

test('who only collects waits a while for all', async t => {
  const { service, leg } = await setup(t)
  const waits: number[] = []
  const last = await leg({
    onWait(milliseconds) {
      if (waits.push(milliseconds) === 4) service.thaw()
    },
  })
  service.freeze()
  await (await leg()).tell(amd64, sha256('x'))
  assert.deepEqual(await last.meet([], [amd64]), new Map([[amd64, sha256('x')]]))
  assert.equal((await last.meet([], [arm64])).size, 0)
})

test('a key that is taken and shows nothing is followed by another', async t => {
  const { service, leg } = await setup(t)
  // The answer to the first request is lost, and the client is told that the key is taken when it asks again.
  service.fault({ method: 'FinalizeCacheEntryUpload', status: 400, times: 1 })
  const one = await leg()
  await assert.rejects(one.tell(amd64, sha256('x')), UserError)
  await one.tell(amd64, sha256('x'))
  assert.deepEqual(await (await leg()).look([amd64]), new Map([[amd64, sha256('x')]]))
})

test('machines with zstd and without it find each other', async t => {
  const { folder, leg } = await setup(t)
  const bare = join(folder, 'bare')
  await mkdir(bare)
  for (const name of ['tar', 'gzip']) await symlink(`/usr/bin/${name}`, join(bare, name))
  const rich = join(folder, 'rich')
  await mkdir(rich)
  // As the client looks for it.
  await writeFile(join(rich, 'zstd'), '#!/bin/sh\necho 1.5.7\n', { mode: 0o755 })
  await (await leg({ path: bare })).tell(amd64, sha256('x'))
  const found = await (await leg({ path: `${rich}:${process.env.PATH}` })).look([amd64])
  assert.deepEqual(found, new Map([[amd64, sha256('x')]]))
})

test('a service that fails, or takes nothing, is an error in words', async t => {
  const { service, leg } = await setup(t)
  const refused = (words: RegExp) => (error: unknown) => {
    assert.ok(error instanceof UserError, String(error))
    assert.match(error.message, words)
    assert.ok(error.advice)
    return true
  }
  const reader = await leg({ token: service.token({ read: [main] }) })
  await assert.rejects(
    reader.tell(amd64, sha256('x')),
    refused(/do not find each other .*could not leave a note/),
  )
  const one = await leg()
  await service.close()
  await assert.rejects(
    one.look([amd64]),
    refused(/do not find each other .*linux\/amd64 could not be looked up/),
  )
})
