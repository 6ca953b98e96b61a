import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { partsBin } from '../../script/parts/paths.ts'
import { exec } from '../../src/util/exec.ts'
import { startDockerd } from '../harness/dockerd.ts'
import { Machine } from '../harness/machine.ts'
import { skopeo } from '../harness/skopeo.ts'
import { byNight } from '../harness/thorough.ts'
import { login, type RunOptions, World } from '../harness/world.ts'

const world = await World.create({ template: 'busybox', keptNix: true })
after(() => world[Symbol.asyncDispose]())

/** A kernel for x86_64 runs programs of i686 as they are, so both are built here without an emulator. */
const skip = process.arch !== 'x64' && 'this machine has one system only'
const platforms = 'linux/amd64,linux/386'

const sent = () => world.registry.count({ method: 'PUT', path: /\/blobs\/uploads\// })

type Descriptor = { digest: string; mediaType: string; size: number; platform: Record<string, string> }

/** What a tag names, as skopeo sees it; undefined when there is no such tag. */
async function tagged(name: string, tag = 'main') {
  const creds = `${login.username}:${login.password}`
  const reference = `docker://${name}:${tag}`
  const seen = await skopeo(world.registryFolder, [
    'inspect',
    '--raw',
    '--tls-verify=false',
    '--creds',
    creds,
    reference,
  ])
  if (seen.code !== 0) assert.match(seen.stderr, /manifest unknown/)
  return seen.code === 0
    ? (JSON.parse(seen.stdout) as {
        mediaType: string
        manifests: Descriptor[]
        annotations?: Record<string, string>
      })
    : undefined
}

let runs = 0

/** A repository of its own for a test, and the jobs of one workflow run that push to it. */
function workflow(id: string, more: Record<string, string> = {}) {
  const name = `${world.registry.host}/org/${id}`
  const run = `2${++runs}`
  const job = async ({
    attempt = 1,
    fails = false,
    ...options
  }: RunOptions & { attempt?: number; fails?: boolean } = {}) => {
    const { main, post } = await world.run({
      ...options,
      workflow: { run, attempt },
      with: { name, 'cache-scope': id, image: '.#image-stream', ...more, ...options.with },
    })
    assert.equal(main.code, fails ? 1 : 0, main.log)
    assert.equal(post.code, 0, post.log)
    const { details } = JSON.parse(main.outputs.metadata ?? '')
    return {
      ...main,
      post,
      push: details.push,
      phases: details.phases.map(({ name }: { name: string }) => name),
    }
  }
  const leg = (system: string, options: Parameters<typeof job>[0] = {}) =>
    job({ ...options, with: { systems: system, platforms, ...options.with } })
  return { name, job, leg }
}

async function uncommitted(workspace: string, machine: Machine): Promise<void> {
  const file = machine.path(join(workspace, 'package.sh'))
  await writeFile(file, `${await readFile(file, 'utf8')}\n# another`)
}

let indexDigest: string | undefined

test('two systems in one job become one index, and are known the next time', { skip }, async t => {
  const { name, job } = workflow('together', { systems: 'x86_64-linux i686-linux', tags: 'main' })
  const first = await job()
  indexDigest = first.outputs.digest
  assert.equal(first.outputs.platforms, 'linux/386,linux/amd64')
  assert.equal(first.outputs['out-path']?.split('\n').length, 2)
  assert.equal(first.outputs.changed, 'true')
  const index = await tagged(name)
  assert.equal(index?.mediaType, 'application/vnd.oci.image.index.v1+json')
  assert.deepEqual(
    index?.manifests.map(({ platform }) => platform),
    [
      { architecture: '386', os: 'linux' },
      { architecture: 'amd64', os: 'linux' },
    ],
  )
  assert.equal(index?.annotations?.['org.opencontainers.image.title'], 'App')
  assert.match(first.summary, /\| Platforms \| <code>linux\/386<\/code>, <code>linux\/amd64<\/code> \|/)

  await t.test('crane and oras read both back', async () => {
    const env = { HOME: world.registryFolder, PATH: '/usr/bin:/bin' }
    const read = async (program: string, ...args: string[]) => {
      const { code, stdout, stderr } = await exec(join(partsBin, program), args, { env })
      assert.equal(code, 0, stderr)
      return stdout
    }
    await read('crane', 'auth', 'login', world.registry.host, '-u', login.username, '-p', login.password)
    await read(
      'oras',
      'login',
      '--plain-http',
      world.registry.host,
      '-u',
      login.username,
      '-p',
      login.password,
    )
    assert.equal((await read('crane', 'digest', `${name}:main`)).trim(), first.outputs.digest)
    await read('crane', 'validate', '--remote', `${name}:main`)
    for (const architecture of ['386', 'amd64']) {
      const platform = ['--platform', `linux/${architecture}`]
      assert.equal(
        JSON.parse(await read('crane', 'config', ...platform, `${name}:main`)).architecture,
        architecture,
      )
      const fetched = await read(
        'oras',
        'manifest',
        'fetch-config',
        '--plain-http',
        ...platform,
        `${name}:main`,
      )
      assert.equal(JSON.parse(fetched).architecture, architecture)
    }
  })

  await t.test('dockerd pulls the one that fits', { skip: Machine.withoutUsers() }, async t => {
    await using machine = await Machine.create({ user: 'root' })
    const docker = await startDockerd(machine)
    await docker('login', '--username', login.username, '--password', login.password, world.registry.host)
    for (const architecture of ['amd64', '386']) {
      await docker('pull', '--quiet', '--platform', `linux/${architecture}`, `${name}:main`)
      const seen = await docker('image', 'inspect', '--format', '{{.Architecture}}', `${name}:main`)
      assert.equal(seen.trim(), architecture)
    }
    const reason = Machine.withoutContainers()
    if (reason !== false) return t.skip(reason)
    const said = await docker(
      'run',
      '--rm',
      '--network=none',
      `${name}@${first.outputs.digest}`,
      'busybox',
      'echo',
      'started',
    )
    assert.equal(said.trim(), 'started')
  })

  await t.test('the same commit: nothing is evaluated, built or sent', async () => {
    world.registry.forget()
    const again = await job({ with: { tags: 'main\nnew' } })
    assert.deepEqual(
      again.push.images.map(({ known }: { known: string }) => known),
      ['source', 'source'],
    )
    assert.deepEqual([again.outputs.digest, again.outputs.changed], [first.outputs.digest, 'false'])
    assert.ok(!again.phases.includes('evaluate'), again.phases.join())
    assert.deepEqual([sent(), world.registry.count({ path: /\/blobs\// })], [0, 0])
    assert.deepEqual(again.push.tagged, ['new'])
  })
})

test('legs of a matrix: the one that comes last publishes what one job would have', { skip }, async () => {
  const { name, leg } = workflow('matrix')
  const first = await leg('i686-linux')
  assert.deepEqual([first.outputs.tags, first.outputs.platforms], ['', 'linux/386'])
  assert.deepEqual(first.push.waiting, ['linux/amd64'])
  assert.match(first.summary, /^### ⏳ Pushed for <code>linux\/386<\/code>/)
  assert.match(
    first.summary,
    /\| Waiting \| for <code>linux\/amd64<\/code>: the job that pushes the last platform/,
  )
  assert.equal(await tagged(name), undefined)

  const last = await leg('x86_64-linux')
  const index = await tagged(name)
  assert.deepEqual(
    index?.manifests.map(({ digest }) => digest),
    [first.outputs.digest, last.push.images[1].digest],
  )
  assert.equal(last.outputs.platforms, 'linux/386,linux/amd64')
  assert.equal(last.outputs.tags, `${name}:main`)
  assert.match(last.summary, /\| Pushed by other jobs \| <code>linux\/386<\/code> \|/)
  assert.equal(last.outputs.digest, indexDigest, 'the index is the same, whoever makes it')
})

test('legs that end at the same time', { skip }, async () => {
  const { name, leg } = workflow('same-time')
  const hold = world.registry.hold({ method: 'PUT', path: /\/manifests\/sha256/ })
  const legs = [leg('x86_64-linux'), leg('i686-linux')]
  await hold.reached
  hold.release()
  const ended = await Promise.all(legs)
  assert.equal((await tagged(name))?.manifests.length, 2)
  assert.ok(ended.some(({ outputs }) => outputs.digest === indexDigest))
})

test('a leg that fails: no index and no tag; when it ran again all is published', { skip }, async () => {
  const { name, leg } = workflow('failed')
  const failed = await leg('i686-linux', { fails: true, with: { image: '.#fails' } })
  assert.match(failed.summary, /nothing was published/)
  const waits = await leg('x86_64-linux')
  assert.deepEqual(waits.push.waiting, ['linux/386'])
  assert.equal(await tagged(name), undefined)
  const again = await leg('i686-linux', { attempt: 2 })
  assert.equal(again.outputs.digest, indexDigest)
  assert.equal((await tagged(name))?.manifests.length, 2)
})

test('a leg that runs again with another image replaces its own in the index', { skip }, async () => {
  const { name, leg } = workflow('again')
  await leg('x86_64-linux')
  const last = await leg('i686-linux')
  const again = await leg('x86_64-linux', { attempt: 2, change: uncommitted })
  assert.notEqual(again.outputs.digest, last.outputs.digest)
  const index = await tagged(name)
  assert.deepEqual(
    index?.manifests.map(({ digest }) => digest),
    again.push.images.map(({ digest }: { digest: string }) => digest),
  )
  assert.equal(index?.manifests[0]?.digest, last.push.images[0].digest)
})

test('a job that comes late with an index that another has replaced publishes the new one', {
  skip: skip || byNight,
}, async () => {
  const { name, leg } = workflow('late')
  await leg('i686-linux')
  await leg('x86_64-linux')
  const again = { attempt: 2, change: uncommitted }
  const hold = world.registry.hold({ method: 'PUT', path: /late\/manifests\/main$/, times: 1 })
  const late = leg('x86_64-linux', again)
  await hold.reached
  const other = await leg('i686-linux', again)
  assert.equal((await tagged(name))?.manifests[0]?.digest, other.push.images[0].digest)
  hold.release()
  assert.equal((await late).outputs.digest, other.outputs.digest)
  assert.equal((await tagged(name))?.manifests[0]?.digest, other.push.images[0].digest)
})

test('one output for two platforms is not the image of both, also when it is known', { skip }, async () => {
  const image = '.#packages.x86_64-linux.image-stream'
  const { name, job, leg } = workflow('one-output', { image, tags: 'main' })
  await job()
  for (const attempt of [1, 2]) {
    const { errors } = await job({ attempt, fails: true, with: { systems: 'x86_64-linux i686-linux' } })
    assert.match(
      errors[0]?.message ?? '',
      /is an image for linux\/amd64, and was built as the one for i686-linux/,
    )
  }
  const { errors } = await leg('i686-linux', { fails: true })
  assert.match(errors[0]?.message ?? '', /is an image for linux\/amd64/)
  assert.equal((await tagged(name))?.manifests, undefined, 'it is as it was')
})

test('jobs of another run, another image or other tags are no legs of this one', {
  skip: skip || byNight,
}, async () => {
  const one = workflow('apart')
  await one.leg('x86_64-linux')
  const other = workflow('apart')
  assert.deepEqual((await other.leg('i686-linux')).push.waiting, ['linux/amd64'])
  assert.deepEqual((await one.leg('i686-linux', { with: { tags: 'slim' } })).push.waiting, ['linux/amd64'])
  assert.equal(await tagged(one.name), undefined)
})

test('a job of its own publishes what the others have pushed by digest', { skip }, async () => {
  const { name, leg, job } = workflow('merge')
  const merge = (options = {}) => job({ ...options, with: { systems: 'none', platforms } })
  const byDigest = { with: { push: 'digest' } }
  await leg('x86_64-linux', byDigest)
  const NODE_OPTIONS = `--import=${join(import.meta.dirname, '../harness/quick-waits.ts')}`
  const early = await merge({ fails: true, env: { NODE_OPTIONS } })
  assert.match(early.errors[0]?.message ?? '', /No job of this run has pushed linux\/386: there is/)
  const second = await leg('i686-linux', byDigest)
  assert.deepEqual([second.outputs.tags, second.push.waiting], ['', []])
  assert.equal(await tagged(name), undefined)
  const merged = await merge()
  assert.equal(merged.outputs.digest, indexDigest)
  assert.equal(merged.outputs['nix-version'], undefined, 'nothing is installed')
  assert.equal((await tagged(name))?.manifests.length, 2)
  assert.match(merged.summary, /Pushed by other jobs/)
})

test('an image for another platform than it was built for is not pushed', { skip }, async () => {
  const { job } = workflow('astray')
  world.registry.forget()
  const { errors } = await job({ fails: true, with: { image: '.#image-astray' } })
  assert.match(
    errors[0]?.message ?? '',
    /is an image for linux\/riscv64, and was built as the one for x86_64-linux/,
  )
  assert.equal(world.registry.count({ method: 'PUT' }), 0)
})

test('a matrix without the service in which its jobs meet is refused before anything is built', {
  skip,
}, async () => {
  const { leg } = workflow('nowhere')
  const { errors, phases } = await leg('x86_64-linux', { fails: true, cache: 'none' })
  assert.match(errors[0]?.message ?? '', /meet in the Actions cache, and this runner does not have it/)
  assert.ok(!phases.includes('build'), phases.join())
})

test('a system that nothing here can build for', { skip }, async () => {
  const { job } = workflow('foreign')
  const { errors } = await job({ fails: true, with: { systems: 'aarch64-linux' } })
  assert.match(
    errors[0]?.message ?? '',
    /can only be built on aarch64-linux, and this runner is x86_64-linux/,
  )
})
