import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { InputName } from '../../src/inputs/model.ts'
import { parseInputs } from '../../src/inputs/parse.ts'
import type { Job } from '../../src/job.ts'
import type { TagEvent } from '../../src/metadata/event.ts'
import type { WantedImage } from '../../src/steps/build.ts'
import { outputKey } from '../../src/steps/known.ts'
import { sampleEvent } from './metadata/sample.ts'

const other = sampleEvent({ sha: 'f'.repeat(40), ref: 'refs/heads/other', commitDate: new Date(0) })

function key(
  given: Partial<Record<InputName, string>> = {},
  event: TagEvent = sampleEvent(),
  system = 'x86_64-linux',
): string {
  const inputs = parseInputs(
    name =>
      ({ image: '.#image', name: 'ghcr.io/o/r', 'nix-mirror': 'https://mirror.example', ...given })[
        name as 'image'
      ] ?? '',
    { system: 'x86_64-linux', event },
  )
  const evaluated = { outPath: '/nix/store/x-image' } as WantedImage['evaluated']
  return outputKey({ inputs } as unknown as Job, { system, evaluated })
}

test('what nothing is said of is known by the same key in every commit, whatever its tags', () => {
  assert.equal(key(), key({}, other))
  assert.equal(key(), key({ tags: 'type=sha', flavor: 'latest=true' }, other))
})

test('what other things are said of is another image', () => {
  const revision = 'org.opencontainers.image.revision'
  const keys = [
    key(),
    key({ labels: 'a=b' }),
    key({ labels: 'a=c' }),
    key({ annotations: 'a=b' }),
    key({ labels: revision }),
    key({ labels: revision }, other),
    key({ annotations: 'a={{branch}}' }),
    key({ annotations: 'a={{branch}}' }, other),
    key({}, sampleEvent({ project: { ...other.project, description: 'Another' } })),
  ]
  assert.equal(new Set(keys).size, keys.length)
  // The index is not the image.
  assert.equal(key({ annotations: 'index:a=b' }), key())
  assert.equal(key({ labels: 'a=b\nc=d' }), key({ labels: 'c=d\na=x\na=b' }))
})

test('what was published without the inspection that is asked for is another image', () => {
  const keys = [
    key(),
    key({ check: 'warn' }),
    key({ check: 'off' }),
    key({ 'check-ignore': 'library' }),
    key({ 'check-ignore': 'entrypoint' }),
  ]
  assert.equal(new Set(keys).size, keys.length)
  assert.equal(key({ check: 'error' }), key())
})

test('a test, or a second build, is asked of the runs before and not of the image', () => {
  const keys = [key(), key({ test: 'app --version' }), key({ reproducible: 'true' })]
  assert.equal(new Set(keys).size, 1)
})

test('the same output for another platform is another image', () => {
  assert.notEqual(key(), key({}, sampleEvent(), 'aarch64-linux'))
})
