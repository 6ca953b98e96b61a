import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { partsBin } from '../../script/parts/paths.ts'
import { BlobUnknown } from '../../src/registry/failure.ts'
import { indexMediaType } from '../../src/registry/image-index.ts'
import { manifestMediaType } from '../../src/registry/manifest.ts'
import { type Artifact, attach, listReferrers } from '../../src/registry/referrers.ts'
import { addTagSignature, listTagSignatures } from '../../src/registry/signature-tag.ts'
import { sha256 } from '../../src/util/digest.ts'
import { UserError } from '../../src/util/errors.ts'
import { exec } from '../../src/util/exec.ts'
import { type Desk, openDesk } from '../harness/registry/desk.ts'
import { sampleImage, sampleLayer } from '../harness/registry/sample.ts'
import { ghcr } from '../harness/registry/troubles.ts'

const artifactType = 'application/vnd.example.note'
const note = (text: string): Artifact => ({
  artifactType,
  content: { mediaType: 'text/plain', bytes: Buffer.from(text) },
  annotations: { 'org.example.text': text },
})

async function pushed(desk: Desk) {
  const { digest, manifestSize: size } = await desk.push(
    sampleImage(sampleLayer({ name: 'a', data: 'hello' })),
  )
  return { mediaType: manifestMediaType, digest, size }
}

async function oras(desk: Desk, ...args: string[]): Promise<string> {
  const env = { HOME: desk.directory, DOCKER_CONFIG: desk.directory }
  const { code, stdout, stderr } = await exec(join(partsBin, 'oras'), args, { env, cwd: desk.directory })
  assert.equal(code, 0, stderr)
  return stdout
}

type Tree = { referrers: { digest: string; artifactType: string; annotations: Record<string, string> }[] }

for (const referrers of [undefined, 100])
  test(`what is attached is found by oras, ${referrers ? 'by the registry\u2019s list' : 'by the fallback tag'}`, async () => {
    await using desk = await openDesk(referrers === undefined ? {} : { referrers })
    const subject = await pushed(desk)
    const put = await attach(desk.client(), subject, [note('one'), note('two')])
    const name = `${desk.name}@${subject.digest}`
    const tree: Tree = JSON.parse(await oras(desk, 'discover', '--plain-http', '--format', 'json', name))
    assert.deepEqual(
      tree.referrers.map(({ digest, artifactType, annotations }) => [digest, artifactType, annotations]),
      put.map(({ digest }, at) => [digest, artifactType, note(at === 0 ? 'one' : 'two').annotations]),
    )
    const [first] = put
    const raw = await oras(desk, 'manifest', 'fetch', '--plain-http', `${desk.name}@${first?.digest}`)
    const manifest = JSON.parse(raw)
    assert.deepEqual(manifest.subject, subject)
    assert.equal(manifest.artifactType, artifactType)
    assert.equal(manifest.config.mediaType, 'application/vnd.oci.empty.v1+json')
    const blob = join(desk.directory, 'blob')
    const reference = `${desk.name}@${manifest.layers[0].digest}`
    await oras(desk, 'blob', 'fetch', '--plain-http', '--output', blob, reference)
    assert.equal(await readFile(blob, 'utf8'), 'one')

    const fallback = await desk.client().headManifest(subject.digest.replace(':', '-'))
    assert.equal(fallback === undefined, referrers !== undefined)
    const listed = await listReferrers(desk.client(), subject.digest)
    assert.deepEqual(
      listed.map(({ digest }) => digest),
      put.map(({ digest }) => digest),
    )
  })

for (const referrers of [undefined, 100])
  test(`the same artifact twice is one referrer${referrers ? ', in the registry\u2019s list' : ''}`, async () => {
    await using desk = await openDesk(referrers === undefined ? {} : { referrers })
    const subject = await pushed(desk)
    await attach(desk.client(), subject, [note('one')])
    desk.registry.forget()
    await attach(desk.client(), subject, [note('one')])
    assert.equal((await listReferrers(desk.client(), subject.digest)).length, 1)
    assert.equal(desk.registry.count({ method: 'POST' }), 0, 'no blob is sent again')
  })

test('a list of several pages is read to its end, and none that ends early is taken for the whole', async () => {
  await using desk = await openDesk({ referrers: 2 })
  const subject = await pushed(desk)
  const texts = ['one', 'two', 'three', 'four', 'five']
  await attach(desk.client(), subject, texts.map(note))
  const path = /\/referrers\//
  desk.registry.forget()
  const listed = await listReferrers(desk.client(), subject.digest)
  assert.deepEqual(
    listed.map(({ annotations }) => annotations?.['org.example.text']),
    texts,
  )
  assert.equal(desk.registry.count({ path }), 3)
  const refusal = async () => {
    const error = await listReferrers(desk.client(), subject.digest).catch(error => error)
    assert.ok(error instanceof UserError, String(error))
    return error.message
  }
  const page = { 'content-type': indexMediaType, link: '<?from=2>; rel="next"' }
  const body = { schemaVersion: 2, mediaType: indexMediaType, manifests: [] }
  for (const [after, answer, says] of [
    [1, { status: 403 }, /refused the referrers of sha256:\w+: status 403/],
    [1, { status: 200, body }, /breaks off the list of the referrers of sha256:\w+: page 2 is no index/],
    [0, { status: 200, headers: page, body }, /more than 100 pages/],
  ] as const) {
    const fault = desk.registry.fault({ path, after, ...answer })
    assert.match(await refusal(), says)
    fault.clear()
  }
})

test('what others have put into the list stays', async () => {
  await using desk = await openDesk()
  const subject = await pushed(desk)
  const theirs = {
    ...{ mediaType: manifestMediaType, digest: subject.digest, size: subject.size },
    ...{ artifactType: 'x/y', annotations: { a: 'b' }, 'org.example.other': [1] },
  }
  const index = { schemaVersion: 2, mediaType: indexMediaType, manifests: [theirs], annotations: { c: 'd' } }
  const tag = subject.digest.replace(':', '-')
  await desk.client().putManifest(tag, Buffer.from(JSON.stringify(index)), indexMediaType)
  await attach(desk.client(), subject, [note('one')])
  const after = await desk.client().getManifest(tag)
  const read = JSON.parse(String(after?.bytes))
  assert.deepEqual(read, { ...index, manifests: [theirs, read.manifests[1]] })
})

test('a job whose entry is written over adds it again', async () => {
  await using desk = await openDesk()
  const subject = await pushed(desk)
  const tag = subject.digest.replace(':', '-')
  const path = new RegExp(`/manifests/${tag}$`)
  await attach(desk.client(), subject, [note('before')])
  const before = await desk.client().getManifest(tag)
  assert.ok(before)
  // Stands still after its write, before it looks whether that is still there.
  const client = desk.client()
  let looks = 0
  const late: typeof client = {
    ...client,
    async getManifest(reference, signal) {
      if (reference === tag && ++looks === 2)
        await desk.client().putManifest(tag, before.bytes, indexMediaType)
      return client.getManifest(reference, signal)
    },
  }
  await attach(late, subject, [note('one')])
  assert.equal(desk.registry.count({ method: 'PUT', path }), 4)
  const texts = (await listReferrers(desk.client(), subject.digest)).map(
    ({ annotations }) => annotations?.['org.example.text'],
  )
  assert.deepEqual(texts, ['before', 'one'])
})

test('of two jobs that write the list at the same moment, the one that is written over adds its entry again', {
  timeout: 60_000,
}, async () => {
  await using desk = await openDesk()
  const subject = await pushed(desk)
  const tag = subject.digest.replace(':', '-')
  const path = new RegExp(`/manifests/${tag}$`)
  // One has read the list, and is about to write it.
  const writing = desk.registry.hold({ method: 'PUT', path, times: 1 })
  const first = attach(desk.client(), subject, [note('one')])
  await writing.reached
  // The other has written it meanwhile, and is about to look whether its entry is still there.
  const looking = desk.registry.hold({ method: 'GET', path, times: 1, after: 1 })
  const second = attach(desk.client(), subject, [note('two')])
  await looking.reached
  writing.release()
  await first
  looking.release()
  await second
  const texts = (await listReferrers(desk.client(), subject.digest)).map(
    ({ annotations }) => annotations?.['org.example.text'] ?? '',
  )
  assert.deepEqual(texts, ['one', 'two'])
})

test('a list that others keep writing over is told', async () => {
  await using desk = await openDesk()
  const subject = await pushed(desk)
  const tag = subject.digest.replace(':', '-')
  const path = new RegExp(`/manifests/${tag}$`)
  // As if each write were lost at once.
  desk.registry.fault({ method: 'GET', path, status: 404 })
  const error = await attach(desk.client(), subject, [note('one')]).catch(error => error)
  assert.ok(error instanceof UserError)
  assert.match(error.message, /loses what is added to it/)
  assert.equal(desk.registry.count({ method: 'PUT', path }), 5)
})

test('a tag that holds something else is told, and stays', async () => {
  await using desk = await openDesk()
  const subject = await pushed(desk)
  const tag = subject.digest.replace(':', '-')
  const own = await desk.client().getManifest('main')
  assert.ok(own)
  await desk.client().putManifest(tag, own.bytes, manifestMediaType)
  const error = await attach(desk.client(), subject, [note('one')]).catch(error => error)
  assert.ok(error instanceof UserError)
  assert.match(error.message, /no list of what refers/)
  assert.equal((await desk.client().headManifest(tag))?.digest, subject.digest)
})

test('an interrupted attachment leaves the list as it was, and the next one completes it', async () => {
  await using desk = await openDesk()
  const subject = await pushed(desk)
  const tag = new RegExp(`/manifests/${subject.digest.replace(':', '-')}$`)
  const interrupt = new AbortController()
  const hold = desk.registry.hold({ method: 'PUT', path: tag, times: 1 })
  const first = attach(desk.client(), subject, [note('one')], { signal: interrupt.signal })
  await hold.reached
  interrupt.abort()
  await assert.rejects(first)
  assert.deepEqual(await listReferrers(desk.client(), subject.digest), [])
  hold.release()
  await attach(desk.client(), subject, [note('one')])
  assert.equal((await listReferrers(desk.client(), subject.digest)).length, 1)
})

test('where the registry lacks a blob that it had, what is attached is sent again, after the waits of a push', async () => {
  await using desk = await openDesk()
  const subject = await pushed(desk)
  const waits: number[] = []
  const patience = { sleep: async (milliseconds: number) => void waits.push(milliseconds) }
  const manifests = { method: 'PUT', path: /\/manifests\/sha256:/ }
  const hold = desk.registry.hold({ ...manifests, times: 1 })
  const attaching = attach(desk.client(), subject, [note('one')], patience)
  await hold.reached
  const path = `/v2/octo/app/blobs/${sha256('one')}`
  assert.equal((await fetch(`http://${desk.registry.host}${path}`, { method: 'DELETE' })).status, 202)
  hold.release()
  await attaching
  assert.deepEqual(waits, [1000])
  assert.equal((await listReferrers(desk.client(), subject.digest)).length, 1)

  const signature = { payload: Buffer.from('payload'), annotations: { signature: 'x' } }
  const tag = { method: 'PUT', path: /\/manifests\/sha256-\w+\.sig$/ }
  desk.registry.fault({ ...tag, ...ghcr.manifestBlobUnknown, times: 2 })
  await addTagSignature(desk.client(), subject.digest, signature, patience)
  assert.deepEqual(waits, [1000, 1000, 5000])
  assert.deepEqual(await listTagSignatures(desk.client(), subject.digest), [signature.annotations])

  const fault = desk.registry.fault({ ...manifests, ...ghcr.manifestBlobUnknown })
  await assert.rejects(attach(desk.client(), subject, [note('two')], patience), BlobUnknown)
  assert.equal(fault.hits, 3)
  assert.equal((await listReferrers(desk.client(), subject.digest)).length, 1)
})
