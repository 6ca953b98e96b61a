import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { tagEvent } from '../../src/metadata/event.ts'
import { tagsFor } from '../../src/metadata/tags.ts'
import { readContext } from '../../src/runner/context.ts'
import { readState, type State, writeState } from '../../src/state.ts'

const env = {
  GITHUB_EVENT_NAME: 'push',
  GITHUB_REF: 'refs/heads/main',
  GITHUB_SHA: 'a'.repeat(40),
  GITHUB_REPOSITORY: 'o/r',
  GITHUB_RUN_ID: '1',
  GITHUB_WORKSPACE: '/w',
  RUNNER_TEMP: '/t',
  RUNNER_TOOL_CACHE: '/c',
}

test('a pull request that runs on the base branch does not get its tags', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'context-'))
  t.after(() => rm(folder, { recursive: true }))
  const event = join(folder, 'event.json')
  await writeFile(event, JSON.stringify({ pull_request: { number: 7 } }))
  const target = { ...env, GITHUB_EVENT_NAME: 'pull_request_target', GITHUB_EVENT_PATH: event }
  const tagsOf = async (env: NodeJS.ProcessEnv) =>
    tagsFor([], tagEvent(await readContext(env), env, new Date())).tags
  assert.deepEqual(await tagsOf(target), ['pr-7'])
  assert.deepEqual(await tagsOf({ ...env, GITHUB_EVENT_PATH: event }), ['main'])
})

test('a run reads what its base and the default branch have cached', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'context-'))
  t.after(() => rm(folder, { recursive: true }))
  const event = join(folder, 'event.json')
  const repository = { default_branch: 'main' }
  const basesOf = async (name: string, ref: string, payload: unknown) => {
    await writeFile(event, JSON.stringify(payload))
    const more = { GITHUB_EVENT_NAME: name, GITHUB_REF: ref, GITHUB_EVENT_PATH: event }
    const { cacheRef, cacheBases } = await readContext({ ...env, ...more })
    return [cacheRef, ...cacheBases]
  }
  const pull_request = { number: 7, base: { ref: 'release/1' } }
  const [main, release, pull] = ['refs/heads/main', 'refs/heads/release/1', 'refs/pull/7/merge']
  const queue = 'refs/heads/gh-readonly-queue/release/1/pr-7-0123'
  for (const [name, ref, payload, expected] of [
    ['push', main, { repository }, [main, main]],
    ['push', 'refs/tags/v1', { repository }, ['refs/tags/v1', main]],
    ['schedule', main, {}, [main]],
    ['pull_request', pull, { repository, pull_request }, [pull, release, main]],
    ['pull_request_target', release, { repository, pull_request }, [release, release, main]],
    ['merge_group', queue, { repository, merge_group: { base_ref: release } }, [queue, release, main]],
    // Who sends what is not as GitHub's own has no bases, and runs.
    ['push', main, { repository: {}, merge_group: 'x' }, [main]],
  ] as const) {
    assert.deepEqual(await basesOf(name, ref, payload), expected, `${name} ${ref}`)
  }
})

test('what comes from another repository, or runs for it with the rights of this one, is foreign', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'context-'))
  t.after(() => rm(folder, { recursive: true }))
  const event = join(folder, 'event.json')
  const isForeign = async (name: string, payload: unknown) => {
    await writeFile(event, JSON.stringify(payload))
    return (await readContext({ ...env, GITHUB_EVENT_NAME: name, GITHUB_EVENT_PATH: event })).foreign
  }
  const from = (repo: unknown) => ({ pull_request: { number: 7, head: { repo } } })
  for (const [name, payload, expected] of [
    ['push', {}, false],
    ['pull_request', from({ full_name: 'o/r' }), false],
    ['pull_request', from({ full_name: 'mona/r' }), true],
    // Of a fork that was deleted, or of a server that does not say.
    ['pull_request', from(null), true],
    ['pull_request', { pull_request: { number: 7 } }, true],
    ['pull_request_target', from({ full_name: 'o/r' }), true],
  ] as const) {
    assert.equal(await isForeign(name, payload), expected, `${name} ${JSON.stringify(payload)}`)
  }
})

test('of the repository what the payload says is known, and nothing else', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'context-'))
  t.after(() => rm(folder, { recursive: true }))
  const event = join(folder, 'event.json')
  const contextOf = async (payload: unknown) => {
    await writeFile(event, JSON.stringify(payload))
    return await readContext({ ...env, GITHUB_EVENT_PATH: event })
  }
  const repository = {
    name: 'r',
    description: null,
    html_url: 'https://g/o/r',
    default_branch: 'main',
    visibility: 'internal',
    license: null,
  }
  const pull_request = { number: 7, base: { ref: 'next' }, head: { sha: 'b'.repeat(40), repo: null } }
  const known = { name: 'r', url: 'https://g/o/r', defaultBranch: 'main', visibility: 'internal' }
  const unknown = {
    name: undefined,
    description: undefined,
    url: undefined,
    defaultBranch: undefined,
    visibility: undefined,
    license: undefined,
  }
  const pull = await contextOf({ repository, pull_request })
  assert.deepEqual(pull.project, { ...unknown, ...known })
  assert.deepEqual([pull.baseRef, pull.headSha], ['next', 'b'.repeat(40)])
  const tag = await contextOf({ base_ref: 'refs/heads/main', repository: { license: { spdx_id: 'MIT' } } })
  assert.deepEqual([tag.baseRef, tag.project], ['main', { ...unknown, license: 'MIT' }])
  const nothing = await contextOf({ base_ref: null, repository: 7 })
  assert.deepEqual([nothing.baseRef, nothing.headSha, nothing.project], [undefined, undefined, unknown])
})

test('only runners that are kept have a tool cache that is worth filling', async () => {
  assert.equal((await readContext(env)).toolCache, true)
  assert.equal((await readContext({ ...env, RUNNER_ENVIRONMENT: 'github-hosted' })).toolCache, false)
})

test('outside of a job it is said which variable is missing', async () => {
  await assert.rejects(readContext({ ...env, GITHUB_SHA: '' }), /GITHUB_SHA is not set/)
})

test('the state holds what thousands of builds cost, and none is no error', async t => {
  const folder = await mkdtemp(join(tmpdir(), 'state-'))
  t.after(() => rm(folder, { recursive: true }))
  assert.equal(readState(folder), undefined)
  const costs = Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [`/nix/store/${at}-x.drv`, at]))
  const state: State = { started: 5, outPaths: ['/nix/store/x'], costs, layers: {}, images: {} }
  writeState(folder, state)
  assert.deepEqual(readState(folder), state)
})
