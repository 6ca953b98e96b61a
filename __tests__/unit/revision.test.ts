import assert from 'node:assert/strict'
import { chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { parseInstallable } from '../../src/build/installable.ts'
import { cleanCommit, commitDate, isLocked, isPure } from '../../src/build/revision.ts'
import type { FlakeSource } from '../../src/build/source.ts'
import { exec } from '../../src/util/exec.ts'
import { Machine } from '../harness/machine.ts'

/** A tree that git has one commit of, with a flake at its top and one in `sub`. */
async function tree(t: TestContext) {
  const workspace = await mkdtemp(join(tmpdir(), 'revision-'))
  t.after(() => rm(workspace, { recursive: true }))
  const env = { PATH: process.env.PATH ?? '', HOME: workspace }
  const git = async (...args: readonly string[]) => {
    const who = ['-c', 'user.name=a', '-c', 'user.email=a@example.com']
    const { code, stdout, stderr } = await exec('git', [...who, '-C', workspace, ...args], { env })
    assert.equal(code, 0, stderr)
    return stdout.trim()
  }
  const write = (name: string, text: string) => writeFile(join(workspace, name), text)
  await mkdir(join(workspace, 'sub'))
  for (const name of ['flake.nix', 'flake.lock', 'sub/flake.nix']) await write(name, '{ }\n')
  await git('init', '--quiet')
  await git('add', '.')
  await git('commit', '--quiet', '--message', 'one')
  const commit = await git('rev-parse', 'HEAD')
  const known = (text: string, more = env) => cleanCommit(parseInstallable(text), { workspace, env: more })
  const source: FlakeSource = {
    ...{ path: '/nix/store/x-source', url: `git+file://${workspace}`, narHash: 'sha256-x' },
    ...{ rev: commit, dirty: false, directory: workspace, inputs: ['nixpkgs'], locked: [] },
  }
  const locked = (change: Partial<FlakeSource> = {}, text = '.#image') =>
    isLocked({ ...source, ...change }, parseInstallable(text), { workspace, env })
  return { workspace, env, git, write, commit, known, locked }
}

test('a clean tree is its commit, from every folder of it', async t => {
  const { commit, known } = await tree(t)
  for (const text of ['.#image', '.', './sub#image', '.?dir=sub#image'])
    assert.equal(await known(text), commit, text)
})

test('files that git does not know are none of a flake', async t => {
  const { write, commit, known } = await tree(t)
  await write('notes.txt', 'x')
  assert.equal(await known('.#image'), commit)
})

test('what is changed, staged, deleted or added is no commit', async t => {
  for (const change of ['changed', 'staged', 'deleted', 'added', 'elsewhere'] as const) {
    const { workspace, git, write, known } = await tree(t)
    if (change === 'added') await write('new.nix', '{ }')
    else if (change === 'deleted') await rm(join(workspace, 'flake.lock'))
    else await write(change === 'elsewhere' ? 'sub/flake.nix' : 'flake.nix', '{ description = "x"; }')
    if (change === 'added' || change === 'staged') await git('add', '.')
    assert.equal(await known('.#image'), undefined, change)
  }
})

test('a flake that is not taken from the commit of the tree has none', async t => {
  const { workspace, commit, known } = await tree(t)
  for (const text of [
    `path:${workspace}#image`,
    '.?ref=main#image',
    `.?rev=${commit}#image`,
    '.?dir=sub&submodules=1#image',
    `git+file://${workspace}#image`,
    'github:octo-org/hello#image',
  ])
    assert.equal(await known(text), undefined, text)
})

test('no tree of git, no commit yet, no git', async t => {
  const { env, known } = await tree(t)
  assert.equal(await known('.#image', { ...env, PATH: '/nonexistent' }), undefined)
  const empty = await mkdtemp(join(tmpdir(), 'revision-'))
  t.after(() => rm(empty, { recursive: true }))
  await writeFile(join(empty, 'flake.nix'), '{ }')
  const here = () => cleanCommit(parseInstallable('.#image'), { workspace: empty, env })
  assert.equal(await here(), undefined)
  await exec('git', ['-C', empty, 'init', '--quiet'], { env })
  assert.equal(await here(), undefined)
})

test('the environment names no other tree, and its settings run nothing', async t => {
  const one = await tree(t)
  const other = await tree(t)
  await other.write('flake.nix', '{ description = "x"; }')
  const GIT_DIR = join(one.workspace, '.git')
  const env = { ...other.env, GIT_DIR, GIT_WORK_TREE: one.workspace }
  assert.equal(await other.known('.#image', env), undefined)
  const ran = join(one.workspace, '.git/ran')
  await one.git('config', 'core.fsmonitor', `touch ${ran}; false`)
  assert.equal(await one.known('.#image'), one.commit)
  await assert.rejects(exec('cat', [ran], { env: one.env }).then(({ code }) => assert.equal(code, 0)))
})

const skip = process.getuid?.() !== 0 ? 'only root can give a tree away' : Machine.withoutUsers()

test("root reads the tree of the workspace's owner, as in container jobs", { skip }, async t => {
  const { workspace, env, commit, known, locked } = await tree(t)
  const dated = () => commitDate(commit, { workspace, env })
  const date = await dated()
  assert.ok(date)
  // The runner makes the workspace; what a checkout makes in it is root's, or the runner's from an earlier job.
  for (const folder of [workspace, join(workspace, '.git')]) {
    await chown(folder, 1001, 1001)
    for (const text of ['.#image', './sub#image']) assert.equal(await known(text), commit, text)
    assert.equal(await locked(), true)
    assert.deepEqual(await dated(), date)
  }
})

test('a tree of neither is not looked into unless git is told to trust it', { skip }, async t => {
  const { workspace, git, commit, known } = await tree(t)
  await chown(workspace, 1001, 1001)
  await git('config', '--file', join(workspace, '.gitconfig'), 'user.name', 'a')
  await chown(join(workspace, '.git'), 12345, 12345)
  assert.equal(await known('.#image'), undefined)
  await writeFile(join(workspace, '.gitconfig'), `[safe]\ndirectory = ${workspace}\n`)
  assert.equal(await known('.#image'), commit)
})

test('locked: the file that is committed names every input', async t => {
  const { git, write, locked } = await tree(t)
  assert.equal(await locked(), true)
  assert.equal(await locked({ rev: undefined }), false, 'not clean when it was evaluated')
  assert.equal(await locked({}, 'github:octo-org/hello#image'), false)
  // A flake without a lock file, of which Nix has written one.
  assert.equal(await locked({}, './sub#image'), false)
  assert.equal(await locked({ inputs: [] }, './sub#image'), true, 'nothing to lock')
  await write('sub/flake.lock', '{ }')
  assert.equal(await locked({}, './sub#image'), false)
  await write('.gitignore', 'flake.lock')
  await git('rm', '--quiet', '--cached', 'flake.lock')
  assert.equal(await locked(), false, 'ignored')
})

test('a lock file to which Nix added something is not the one that is committed', async t => {
  const { write, locked } = await tree(t)
  await write('flake.lock', '{ "version": 7 }')
  assert.equal(await locked(), false)
})

test('settings that let evaluation look elsewhere', () => {
  assert.equal(isPure([], '', {}), true)
  assert.equal(isPure(['--option', 'max-jobs', '2'], 'cores = 2\n', {}), true)
  for (const arg of [
    '--impure',
    '--no-pure-eval',
    '--override-input',
    '--update-input',
    '--recreate-lock-file',
    '--no-write-lock-file',
    '--no-update-lock-file',
    '--reference-lock-file',
    '--file',
    '--arg',
    '--argstr',
    '--arg-from-file',
  ])
    assert.equal(isPure([arg, 'x'], '', {}), false, arg)
  for (const line of [
    'pure-eval = false',
    ' extra-pure-eval=0',
    'impure-env = A=b',
    '!include x',
    'include x',
  ])
    assert.equal(isPure([], `cores = 1\n${line}\n`, {}), false, line)
  assert.equal(isPure([], '', { NIX_CONFIG: 'cores = 1' }), false)
})

test('the date of a commit is what git says of it, where git has it', async t => {
  const { workspace, env, git, commit } = await tree(t)
  const date = new Date(Number(await git('show', '-s', '--format=%ct', 'HEAD')) * 1000)
  assert.deepEqual(await commitDate(commit, { workspace, env }), date)
  assert.equal(await commitDate('0'.repeat(40), { workspace, env }), undefined)
  assert.equal(await commitDate(commit, { workspace: join(workspace, '..'), env }), undefined)
})
