/**
 * What the unmodified client does with paths, failures and large archives, as far as this project builds on it.
 * An update of @actions/cache that changes any of this is seen here first.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { test } from 'node:test'
import { fixture, noise, restore, save } from './cache-service/fixture.ts'
import { makeRunner, type Outcome } from './cache-service/job.ts'

const main = { write: 'refs/heads/main' }

function thrown(outcome: Outcome | undefined): string {
  return typeof outcome === 'object' && outcome !== null ? outcome.message : ''
}

test('a path with .. can be restored and cannot be saved', async t => {
  const { service, runner, outcomes } = await fixture(t)
  mkdirSync(join(runner.temp, 'x'))
  const paths = ['../../_temp/x']
  const [saved, restored] = await outcomes(
    service.token(main),
    { save: paths, key: 'key' },
    { restore: paths, key: 'key' },
  )
  assert.match(thrown(saved), /Relative pathing '\.' and '\.\.' is not allowed/)
  assert.equal(restored, null)
})

test('a relative path is sought from the current directory and restored from the workspace', async t => {
  const { service, runner, root, job } = await fixture(t)
  const token = service.token(main)
  mkdirSync(join(runner.temp, 'x'))
  writeFileSync(join(runner.temp, 'x', 'file'), 'from a job on the runner')
  const saved = await job(token, [{ save: ['x'], key: 'key' }], { cwd: runner.temp })
  assert.deepEqual(saved.outcomes, [service.entries()[0]?.id])
  const version = createHash('sha256').update('x|zstd-without-long|1.0').digest('hex')
  assert.equal(service.entries()[0]?.version, version)

  const container = makeRunner(join(root, 'container'))
  const found = await job(token, [{ restore: ['x'], key: 'key' }], { runner: container, cwd: root })
  assert.deepEqual(found.outcomes, ['key'])
  assert.equal(readFileSync(join(container.temp, 'x', 'file'), 'utf8'), 'from a job on the runner')
})

test('with the temporary directory for a workspace, an archive does not know where that is', async t => {
  const { service, runner, root, job } = await fixture(t)
  const token = service.token(main)
  mkdirSync(join(runner.temp, 'x'))
  writeFileSync(join(runner.temp, 'x', 'file'), 'content')
  const inTemp = (temp: string) => ({ cwd: temp, env: { ...service.env(token), GITHUB_WORKSPACE: temp } })
  await job(token, [{ save: ['x'], key: 'key' }], inTemp(runner.temp))
  const elsewhere = join(root, 'quite', 'another', 'place')
  mkdirSync(elsewhere, { recursive: true })
  const found = await job(token, [{ restore: ['x'], key: 'key' }], inTemp(elsewhere))
  assert.deepEqual(found.outcomes, ['key'])
  assert.equal(readFileSync(join(elsewhere, 'x', 'file'), 'utf8'), 'content')
})

test('a space in the path of the workspace breaks saving and restoring', async t => {
  const { service, root, job } = await fixture(t)
  const token = service.token(main)
  await job(token, [save('key')])
  const runner = makeRunner(join(root, 'with space'))
  mkdirSync(join(runner.workspace, 'data'))
  const { outcomes, log } = await job(token, [save('other'), restore('key')], { runner })
  assert.deepEqual(outcomes, [-1, null])
  assert.equal(log.match(/::warning::Failed to (save|restore): .*tar.* exit code 2/g)?.length, 2)
})

test('without zstd in PATH entries have another version', async t => {
  const { service, root, job, outcomes } = await fixture(t)
  const token = service.token(main)
  await outcomes(token, save('key'))
  const bin = join(root, 'bin')
  mkdirSync(bin)
  for (const program of ['tar', 'gzip']) symlinkSync(programPath(program), join(bin, program))
  const env = { ...service.env(token), PATH: bin }
  const { outcomes: without } = await job(token, [restore('key'), save('key')], { env })
  assert.equal(without[0], null)
  assert.ok(Number(without[1]) > 0)
})

test('what is wrong with the call or the environment is thrown', async t => {
  const { service, job } = await fixture(t)
  const token = service.token(main)
  const { outcomes } = await job(token, [
    { save: ['not-there'], key: 'key' },
    save('a,b'),
    restore('a', ...'123456789A'),
    { ...save('key'), env: { ACTIONS_RUNTIME_TOKEN: '' } },
    restore('key'),
  ])
  const patterns = [/do\(es\) not exist/, /cannot contain commas/, /maximum of 10/, /ACTIONS_RUNTIME_TOKEN/]
  patterns.forEach((pattern, index) => void assert.match(thrown(outcomes[index]), pattern))
  assert.equal(outcomes[4], null, 'and yet a restore without a token only warns')
})

test('a server that is not GitHub means the old protocol, also 127.0.0.1', async t => {
  const { service, job } = await fixture(t)
  const token = service.token(main)
  const env = { ...service.env(token), GITHUB_SERVER_URL: 'http://127.0.0.1:1' }
  assert.deepEqual((await job(token, [save('key'), restore('key')], { env })).outcomes, [-1, null])
  assert.equal(service.counts().Unknown.calls, 2)
  const local = { ...env, GITHUB_SERVER_URL: 'http://git.localhost:1' }
  assert.deepEqual((await job(token, [save('key'), restore('key')], { env: local })).outcomes, [
    service.entries()[0]?.id,
    'key',
  ])
})

test('an archive that is damaged leaves files behind, also damaged ones', async t => {
  const { service, runner, outcomes, clear } = await fixture(t)
  const token = service.token(main)
  const data = join(runner.workspace, 'data')
  for (let index = 0; index < 9; index++) writeFileSync(join(data, `file-${index}`), noise(200))
  await outcomes(token, save('key'))
  const left: Record<string, number> = {}
  for (const kind of ['cut', 'truncate', 'corrupt'] as const) {
    clear()
    service.fault({ method: 'DownloadBlob', kind, times: 1 })
    assert.deepEqual(await outcomes(token, restore('key')), [null])
    left[kind] = existsSync(data) ? readdirSync(data).length : 0
  }
  assert.equal(left.cut, 0)
  assert.ok(Number(left.truncate) > 0 && Number(left.truncate) < 10)
  assert.equal(left.corrupt, 10)
})

test('what the client prints', async t => {
  const { service, job } = await fixture(t)
  const { log } = await job(service.token(main), [save('key'), save('key'), restore('key'), restore('no')])
  // A slow upload is told of every second.
  const noise = /^$|^::debug::|^Sent .* \((?!100\.0%)/
  const lines = log.split('\n').filter(line => !noise.test(line))
  const shapes = [
    /^\[command\].*\/tar --posix -cf cache\.tzst /,
    /^::add-mask::/,
    /^::add-mask::/,
    /^Sent \d+ of \d+ \(100\.0%\), /,
    /^\[command\].*\/tar --posix -cf cache\.tzst /,
    /^Failed to save: Unable to reserve cache with key key, another job may be creating this cache\.$/,
    /^::add-mask::/,
    /^::add-mask::/,
    /^Cache hit for: key$/,
    /^Cache Size: ~0 MB \(\d+ B\)$/,
    /^\[command\].*\/tar -xf /,
    /^Cache restored successfully$/,
  ]
  assert.equal(lines.length, shapes.length, lines.join('\n'))
  shapes.forEach((shape, index) => void assert.match(lines[index] ?? '', shape))
  assert.ok(!log.includes(service.secrets()[0] ?? ''), 'never the token')
})

test('above 128 MiB an upload goes in blocks, and from a blob host a download in ranges', async t => {
  const { service, job, write, clear, runner } = await fixture(t, {
    blobHost: 'account.blob.core.windows.net',
  })
  const token = service.token(main)
  const content = noise(130 * 1024)
  write(content)
  const options = { preload: ['local-blob-host.ts'] }
  await job(token, [save('key')], options)
  clear()
  assert.deepEqual((await job(token, [restore('key')], options)).outcomes, ['key'])
  assert.ok(readFileSync(join(runner.workspace, 'data', 'file')).equals(content))
  const { StageBlock, CommitBlockList, UploadBlob, HeadBlob, DownloadBlob } = service.counts()
  assert.deepEqual([StageBlock.calls, CommitBlockList.calls, UploadBlob.calls, HeadBlob.calls], [3, 1, 0, 1])
  const size = service.entries()[0]?.size ?? 0
  assert.equal(StageBlock.bytesIn, size)
  assert.equal(DownloadBlob.bytesOut, size)
  assert.equal(DownloadBlob.calls, Math.ceil(size / (4 * 1024 * 1024)))
  assert.ok(service.calls.every(({ method, status }) => method !== 'DownloadBlob' || status === 206))
  assert.equal(readdirSync(join(service.directory, 'blobs')).length, 1, 'no staged block stays')
})

function programPath(name: string): string {
  const directories = (process.env.PATH ?? '').split(delimiter)
  return directories.map(directory => join(directory, name)).find(path => existsSync(path)) ?? name
}
