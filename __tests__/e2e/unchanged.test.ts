import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Machine } from '../harness/machine.ts'
import { expect } from '../harness/nix-by-hand.ts'
import { login, type RunOptions, World } from '../harness/world.ts'

const world = await World.create({ template: 'busybox', keptNix: true })
after(() => world[Symbol.asyncDispose]())

const sent = () => world.registry.count({ method: 'PUT', path: /\/blobs\/uploads\// })
const asked = () => world.registry.count({ path: /\/blobs\// })

/** A repository of its own for a test, and runs that push to it. */
function repository(id: string, more: Record<string, string> = {}) {
  const inputs = {
    name: `${world.registry.host}/org/${id}`,
    'cache-scope': id,
    image: '.#image-stream',
    ...more,
  }
  return async (options: RunOptions = {}) => {
    world.registry.forget()
    const { main, post } = await world.run({ ...options, with: { ...inputs, ...options.with } })
    assert.equal(main.code, 0, main.log)
    assert.equal(post.code, 0, post.log)
    const { details } = JSON.parse(main.outputs.metadata ?? '')
    const phases: string[] = details.phases.map(({ name }: { name: string }) => name)
    return { ...main, post, details, phases, known: details.push.images[0].known }
  }
}

async function uncommitted(workspace: string, machine: Machine): Promise<void> {
  await expect(machine.run(['sh', '-c', 'echo >> "$0"', join(workspace, 'flake.nix')]))
}

/** Another commit, of which the image is the same. */
async function commit(workspace: string, machine: Machine): Promise<void> {
  await uncommitted(workspace, machine)
  const who = ['-c', 'user.name=a', '-c', 'user.email=a@example.com']
  await expect(machine.run(['git', '-C', workspace, ...who, 'commit', '-qam', 'Another']))
}

test('the same commit: its image is tagged, Nix is not asked and no blob is', async () => {
  const run = repository('same')
  const first = await run()
  assert.deepEqual([first.known, first.outputs.changed], [undefined, 'true'])
  const second = await run({ with: { tags: 'main\nv2' } })
  assert.deepEqual([second.known, second.outputs.changed], ['source', 'false'])
  assert.deepEqual([second.outputs.digest, second.outputs.uploaded], [first.outputs.digest, '0'])
  assert.deepEqual(
    [second.outputs.size, second.outputs.platforms],
    [first.outputs.size, first.outputs.platforms],
  )
  assert.ok(!second.phases.includes('evaluate') && !second.phases.includes('build'), second.phases.join())
  assert.equal(asked(), 0)
  assert.match(second.summary, /^### 🏷️ Unchanged image, 1 tag set/)
  assert.match(second.post.summary, /nothing new, nothing uploaded/)
  // The digest is the one that a run which knows nothing comes to.
  const again = await run({ with: { cache: 'false', tags: 'other' } })
  assert.deepEqual([again.known, again.outputs.digest], [undefined, first.outputs.digest])
})

test('if-needed: Nix is installed where the image is not published, and not where it is', async () => {
  const run = repository('needed', { 'install-nix': 'if-needed' })
  const first = await run()
  assert.ok(first.outputs['nix-version'])
  const second = await run()
  assert.deepEqual([second.known, second.outputs['nix-version']], ['source', undefined])
  assert.ok(!second.phases.includes('install Nix'), second.phases.join())
  assert.equal(second.outputs.digest, first.outputs.digest)
  const third = await run({ with: { compression: 'zstd' } })
  assert.ok(third.outputs['nix-version'], 'another image is wanted')
})

test('another commit of the same image: evaluated, not built', async () => {
  const run = repository('commit')
  const first = await run()
  const second = await run({ change: commit })
  assert.deepEqual([second.known, second.outputs.changed], ['output', 'false'])
  assert.equal(second.outputs.digest, first.outputs.digest)
  assert.ok(second.phases.includes('evaluate') && !second.phases.includes('build'), second.phases.join())
  assert.equal(asked(), 0)
  const third = await run({ change: commit, with: { cache: 'false' } })
  assert.equal(third.known, 'output', 'told by the registry alone')
})

test('what is not committed, impure, or of other settings is never taken for known', async () => {
  const run = repository('never')
  const first = await run()
  const cases: Record<string, RunOptions> = {
    'not committed': { change: uncommitted },
    impure: { with: { 'nix-args': '--impure' } },
    'with an input of its own': { with: { 'nix-args': '--override-input nixpkgs path:.' } },
    'impure by nix.conf': { with: { 'nix-conf': 'pure-eval = false' } },
    'another compression': { with: { 'compression-level': '1' } },
    'another image': { with: { image: '.#image' } },
  }
  for (const [name, options] of Object.entries(cases)) {
    const { known, phases } = await run(options)
    assert.equal(known, undefined, name)
    assert.ok(phases.includes('build'), name)
  }
  const last = await run()
  assert.deepEqual([last.known, last.outputs.digest], ['source', first.outputs.digest])
})

/** Has the registry lose something of a repository. */
async function lose(id: string, what: string): Promise<void> {
  const basic = Buffer.from(`${login.username}:${login.password}`).toString('base64')
  const scope = new URLSearchParams({ service: 'registry', scope: `repository:org/${id}:pull,push,delete` })
  const { host } = world.registry
  const answer = await fetch(`http://${host}/token?${scope}`, {
    headers: { authorization: `Basic ${basic}` },
  })
  const { token } = (await answer.json()) as { token: string }
  const { status } = await fetch(`http://${host}/v2/org/${id}/${what}`, {
    ...{ method: 'DELETE', headers: { authorization: `Bearer ${token}` } },
  })
  assert.equal(status, 202)
}

test('an image that the registry has lost is made again', async () => {
  const run = repository('lost')
  const first = await run()
  await lose('lost', `manifests/${first.outputs.digest}`)
  const second = await run()
  assert.deepEqual([second.known, second.outputs.changed], [undefined, 'true'])
  assert.equal(second.outputs.digest, first.outputs.digest)
})

test('an image of which the registry has lost a layer is made again for a new tag', async () => {
  const run = repository('layer-lost')
  const first = await run()
  await lose('layer-lost', `blobs/${first.details.push.images[0].layers[0].digest}`)
  const second = await run({ with: { tags: 'new' } })
  assert.equal(second.known, undefined)
  assert.ok(second.phases.includes('build'), second.phases.join())
  assert.equal(second.outputs.digest, first.outputs.digest)
  assert.deepEqual(second.details.push.tagged, ['new'])
  assert.equal(sent(), 1, 'the layer that was lost')
  assert.match(second.log, /misses a part of .*: it is made again/)
})

test('a warm run of what was changed sends the layer that changed, and no other', async () => {
  const run = repository('layer')
  const first = await run()
  const second = await run({ change: uncommitted })
  assert.equal(second.outputs.digest, first.outputs.digest)
  assert.equal(sent(), 0)
  assert.equal(asked(), 0)
})
