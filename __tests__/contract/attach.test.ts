import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { manifestMediaType } from '../../src/registry/manifest.ts'
import { listReferrers } from '../../src/registry/referrers.ts'
import { attachMissing, plainDocument, type Wanted } from '../../src/steps/attach.ts'
import { openDesk } from '../harness/registry/desk.ts'
import { sampleImage } from '../harness/registry/sample.ts'

/** A published image, and what is kept elsewhere before something is attached to it. */
async function openImage() {
  const desk = await openDesk()
  const { digest, manifestSize: size } = await desk.push(sampleImage())
  const client = desk.client()
  const job = { signal: new AbortController().signal, runner: { info: () => undefined } }
  const subject = { mediaType: manifestMediaType, digest, size }
  const kept: string[] = []
  return {
    kept,
    /** What is to be kept, too, when it is made. */
    claim(title: string, keep = async () => void kept.push(title)): Wanted {
      const { marks, make } = plainDocument(title, 'text/plain', title)
      return { marks, make: async subject => ({ ...(await make(subject)), keep }) }
    },
    attach: (...wanted: Wanted[]) => attachMissing(job, { client }, subject, wanted),
    attached: async () => (await listReferrers(client, digest)).length,
    [Symbol.asyncDispose]: desk[Symbol.asyncDispose],
  }
}

test('where one claim cannot be made, the other has ended, and neither is kept or attached', async () => {
  await using image = await openImage()
  const made = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  const fails: Wanted = { marks: {}, make: () => Promise.reject(new Error('not made')) }
  const other = image.claim('other')
  const late: Wanted = {
    ...other,
    async make(subject) {
      begun.resolve()
      await made.promise
      return other.make(subject)
    },
  }
  let over = false
  const attaching = image.attach(fails, late).finally(() => {
    over = true
  })
  attaching.catch(() => undefined)
  await begun.promise
  await setImmediate()
  assert.equal(over, false)
  made.resolve()
  await assert.rejects(attaching, /not made/)
  assert.deepEqual(image.kept, [])
  assert.equal(await image.attached(), 0)
})

test('what could not be kept is not attached, so that the next run does both, once', async () => {
  await using image = await openImage()
  const refused = image.claim('claim', () => Promise.reject(new Error('not kept')))
  await assert.rejects(image.attach(refused), /not kept/)
  assert.equal(await image.attached(), 0)
  for (const added of [1, 0]) {
    assert.equal((await image.attach(image.claim('claim'))).length, added)
    assert.deepEqual(image.kept, ['claim'])
    assert.equal(await image.attached(), 1)
  }
})
