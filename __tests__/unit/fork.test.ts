import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { emptyIndex } from '../../src/cache/model.ts'
import type { Inputs } from '../../src/inputs/model.ts'
import type { Job } from '../../src/job.ts'
import { parseDestination } from '../../src/nix/destination.ts'
import type { Nix } from '../../src/nix/model.ts'
import { placesIn } from '../../src/places.ts'
import { copyTo } from '../../src/steps/copy.ts'
import { whyUnpushed } from '../../src/steps/login.ts'
import { findSubstituters } from '../../src/steps/nix.ts'
import { silent } from '../../src/util/log.ts'
import { Phases } from '../../src/util/phases.ts'

/** A job as far as the steps under test look at it, and what it said. */
function jobOf(inputs: Partial<Inputs>, eventName: string, temp = '/') {
  const said: string[] = []
  const say = (text: string) => void said.push(text)
  const report: Job['report'] = { phases: [] }
  const job = {
    ...{ inputs, report, context: { eventName }, env: {}, signal: new AbortController().signal },
    ...{ places: placesIn(join(temp, 'step')), phases: new Phases() },
    runner: { ...silent, info: say, warning: say },
  } as unknown as Job
  return { job, said, report }
}

const nix: Nix = { version: '2.34.8', bin: '/none', system: 'x86_64-linux', env: {} }
const nothing = {
  ...{ image: undefined, evaluated: [], brought: [] },
  realised: { outPaths: [], substitutions: [], builds: [] },
} as unknown as Parameters<typeof copyTo>[3]

test('what a pull request built is not copied unless push is true: a fork does not get the keys', async () => {
  const temp = await mkdtemp(join(tmpdir(), 'fork '))
  const destination = parseDestination('s3://bucket')
  const rows: ['auto' | 'true' | 'false', string, boolean][] = [
    ['auto', 'pull_request', false],
    ['auto', 'pull_request_target', false],
    ['auto', 'merge_group', false],
    ['auto', 'push', true],
    ['true', 'pull_request', true],
    ['false', 'push', true],
  ]
  try {
    for (const [push, eventName, copied] of rows) {
      const { job, said, report } = jobOf({ push, copyTo: destination }, eventName, temp)
      await copyTo(job, nix, { status: 'off', index: emptyIndex }, nothing)
      assert.equal(report.copy !== undefined, copied, `${push} ${eventName}`)
      const why = `Nothing is copied to s3://bucket: \`push\` is \`auto\`, and the event \`${eventName}\`.`
      assert.deepEqual(said, copied ? [] : [why])
    }
    assert.equal(whyUnpushed({ push: 'false' }, { eventName: 'push' }), '`push` is `false`')
    assert.equal(whyUnpushed({ push: 'true' }, { eventName: 'pull_request' }), undefined)
  } finally {
    await rm(temp, { recursive: true })
  }
})

test('a binary cache whose password is empty is left out, with a warning', async () => {
  const inputs = {
    ...{
      substituters: ['s3://bucket'],
      lockedSubstituters: ['https://h.example/c'],
      logins: [],
      nixConf: '',
    },
  }
  const { job, said } = jobOf(inputs, 'pull_request')
  assert.deepEqual(await findSubstituters(job, Promise.resolve({ nix })), ['s3://bucket'])
  assert.equal(said.length, 1)
  assert.match(said[0] ?? '', /https:\/\/h\.example\/c is given with a login that has no password/)
})
