import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { type RunOptions, World } from '../harness/world.ts'

const world = await World.create({ template: 'busybox', keptNix: true })
after(() => world[Symbol.asyncDispose]())

/** A repository of its own for a test. */
function repository(id: string) {
  const name = `${world.registry.host}/org/${id}`
  return async (inputs: Record<string, string>, options: RunOptions = {}) => {
    world.registry.forget()
    const { main, post } = await world.run({ ...options, with: { name, 'cache-scope': id, ...inputs } })
    assert.equal(post.code, 0, post.log)
    const written = world.registry.count({ method: 'PUT' }) + world.registry.count({ method: 'POST' })
    const { details } = JSON.parse(main.outputs.metadata ?? '')
    return { ...main, details, written }
  }
}

const absent = { image: '.#image-absent' }

test('an image that would not start is not pushed', async () => {
  const run = repository('absent')
  const { code, log, errors, summary, details, written, outputs } = await run(absent)
  assert.equal(code, 1, log)
  assert.equal(written, 0)
  assert.equal(outputs.digest, undefined)
  assert.match(
    errors.map(({ message }) => message).join(),
    /^The image would not work: Cmd: .*\/usr\/bin\/hello/,
  )
  assert.match(summary, /^### ❌ The image would not work: nothing was published/)
  assert.match(summary, /\| ❌ <code>command<\/code> \| <code>Cmd<\/code> \|/)
  assert.deepEqual(
    details.check.findings.map(({ rule, severity, platform }: Record<string, string>) => [
      rule,
      severity,
      platform,
    ]),
    [
      ['command', 'error', 'linux/amd64'],
      ['tmp', 'hint', 'linux/amd64'],
    ],
  )
})

test('it is pushed where somebody wants that, and is no reason to push it where somebody else does not', async () => {
  const run = repository('wanted')
  for (const wish of [{ check: 'warn' }, { check: 'off' }, { 'check-ignore': 'command' }]) {
    const { code, log, warnings, outputs } = await run({ ...absent, ...wish })
    assert.equal(code, 0, log)
    assert.ok(outputs.digest)
    assert.equal(warnings.length, wish.check === 'warn' ? 1 : 0, log)
  }
  // The cache and the registry know this image by now.
  assert.equal((await run(absent)).code, 1)
})

test('what is not pushed is inspected as well', async () => {
  const run = repository('request')
  const { code, log, written } = await run({ ...absent, push: 'false' })
  assert.equal(code, 1, log)
  assert.equal(written, 0)
})

test('no findings: one line in the summary', async () => {
  const run = repository('fine')
  const { code, log, warnings, summary, details } = await run({
    image: '.#image-stream',
    'check-ignore': 'tmp',
  })
  assert.equal(code, 0, log)
  assert.deepEqual([details.check, warnings], [{ findings: [], ignored: ['tmp'], uninspected: [] }, []])
  assert.match(summary, /\| Inspection \| no findings; turned off: <code>tmp<\/code> \|/)
})
