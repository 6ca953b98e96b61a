import assert from 'node:assert/strict'
import { globSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { examplesFolder } from '../harness/example.ts'
import { Machine } from '../harness/machine.ts'
import { expect } from '../harness/nix-by-hand.ts'
import { setUpPodman } from '../harness/podman.ts'
import { startRegistry } from '../harness/registry/registry.ts'
import {
  type Event,
  pullRequest,
  pushTag,
  pushToBranch,
  pushToDefaultBranch,
  schedule,
} from '../harness/runner/events.ts'
import { cosign, signedBy, withoutCosign } from '../harness/sigstore/cosign.ts'
import { startSigstore } from '../harness/sigstore/sigstore.ts'
import { skopeo } from '../harness/skopeo.ts'
import { parseWorkflow, type Started, start as startJob } from '../harness/workflow.ts'
import { login, type RunOptions, repositoryName, World } from '../harness/world.ts'

// What is not had here is the inputs of the flakes: __tests__/flakes/stand-ins says what stands in their place.
const world = await World.create({ template: 'examples', keptNix: true })
const enterpriseLogin = { username: 'platform-bot', password: 'thePasswordOfThePlatform-0123456789' }
const enterprise = await startRegistry({ basic: enterpriseLogin })
after(() => Promise.all([world[Symbol.asyncDispose](), enterprise.close()]))

const origin = { repository: repositoryName }
const onMain = pushToDefaultBranch(origin)
const request = pullRequest(origin, { number: 7, head: 'feature' })
const withoutContainers = Machine.withoutUsers() || Machine.withoutContainers()

/** One with Podman, which keeps Nix and what it has built from test to test, since to install Nix takes the longest. */
const shared = await world.machine({ user: 'root' })
const podman = await setUpPodman(shared)
after(() => shared.dispose())
const here = { on: shared, env: podman, cache: 'none' } satisfies RunOptions

/** Workflows that a test has read. */
const started = new Set<string>()

/** What an event makes of an example's workflow, which pushes to the registries here. */
async function start(example: string, file: string, event: Event): Promise<Started> {
  const path = join(example, '.github/workflows', file)
  started.add(path)
  const workflow = parseWorkflow(await readFile(join(examplesFolder, path), 'utf8'))
  const refName = event.ref.replace(/^refs\/(heads|tags)\//, '')
  const { legs, ...others } = startJob(workflow, event, {
    'github.repository': event.repository,
    "github.event_name == 'push' && github.ref_name == github.event.repository.default_branch": String(
      event.name === 'push' && refName === 'main',
    ),
    'vars.REGISTRY_USER': enterpriseLogin.username,
    'secrets.REGISTRY_PASSWORD': enterpriseLogin.password,
  })
  return { ...others, legs: legs.map(leg => ({ ...leg, with: inputsHere(leg.with, event) })) }
}

function inputsHere(given: Readonly<Record<string, string>>, event: Event): Record<string, string> {
  const { name: image = `ghcr.io/${event.repository}`, ...others } = given
  const name = image
    .replace(/^ghcr\.io\//, `${world.registry.host}/`)
    .replace(/^registry\.example\.com\//, `${enterprise.host}/`)
  assert.notEqual(name, image)
  return { ...others, name }
}

/** A run of the action as an example's workflow has it. */
async function run(example: string, event: Event, given: Record<string, string>, more: RunOptions = {}) {
  // As in all tests nothing is asked of the internet.
  const conf = { 'nix-conf': `substituters =\n${given['nix-conf'] ?? ''}` }
  const { main, post } = await world.run({
    example,
    event,
    ...more,
    with: { ...given, ...conf, ...more.with },
  })
  assert.equal(main.code, 0, main.log)
  assert.equal(post.code, 0, post.log)
  return { ...main, post, details: JSON.parse(main.outputs.metadata ?? '').details }
}

const tagsOf = ({ outputs }: { outputs: Readonly<Record<string, string>> }) =>
  (outputs.tags ?? '').split('\n').map(tag => tag.replace(/^[\d.]+:\d+\//, ''))

/** A document of the registry's, as skopeo reads it. */
async function inspect(reference: string, ...args: string[]) {
  const credentials = `--creds=${login.username}:${login.password}`
  const argv = ['inspect', '--tls-verify=false', credentials, ...args, `docker://${reference}`]
  const { code, stdout, stderr } = await skopeo(world.registryFolder, argv)
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout)
}

test('rust-server: a tag is published under its versions once the server listens', {
  skip: withoutContainers,
}, async () => {
  const event = pushTag(origin, 'v1.2.3')
  const { legs } = await start('rust-server', 'image.yml', event)
  const main = await run('rust-server', event, legs[0]?.with ?? {}, here)
  assert.deepEqual(tagsOf(main), ['org/app:1.2.3', 'org/app:1.2', 'org/app:latest'])
  assert.equal(main.details.tested.with, 'podman')
  const { Labels } = await inspect(main.outputs.image ?? '')
  assert.deepEqual(Labels, {
    'org.opencontainers.image.licenses': 'MIT',
    'org.opencontainers.image.source': `https://github.com/${repositoryName}`,
    'org.opencontainers.image.vendor': 'Example',
  })
})

test('from-dockerfile: a real nginx listens, and is published', { skip: withoutContainers }, async () => {
  const { legs } = await start('from-dockerfile', 'image.yml', onMain)
  const main = await run('from-dockerfile', onMain, legs[0]?.with ?? {}, here)
  assert.deepEqual(tagsOf(main), ['org/app:main'])
  assert.equal(main.details.tested.with, 'podman')
})

test('desktop: two architectures become one index that is signed; a variant for one of them', {
  skip: withoutCosign('cosign') || (process.arch !== 'x64' && 'this machine has another system of its own'),
}, async () => {
  await using sigstore = await startSigstore()
  const directory = await mkdtemp(join(tmpdir(), 'cosign-'))
  try {
    const { legs } = await start('desktop', 'images.yml', onMain)
    assert.equal(legs.length, 5)
    const leg = async (image: string, runner: string) => {
      const found = legs.find(({ matrix }) => matrix.image === image && matrix.runner === runner)
      // This machine is no ARM, and only claims to be one: busybox makes what is for it, and starts none of it.
      const arm = { systems: 'aarch64-linux', 'nix-conf': 'substituters =\nextra-platforms = aarch64-linux' }
      return await run('desktop', onMain, found?.with ?? assert.fail(image), {
        on: shared,
        ...(image === 'image' ? {} : { cache: 'none' }),
        workflow: { run: '51' },
        env: { ...podman, ...sigstore.env },
        services: sigstore.idTokens({ repository: repositoryName }),
        with: runner.endsWith('-arm') ? arm : {},
      })
    }
    const waiting = await leg('image', 'ubuntu-24.04')
    assert.equal(waiting.outputs.tags, '')
    assert.equal(waiting.details.reproducible.verdict, 'same')
    const last = await leg('image', 'ubuntu-24.04-arm')
    assert.equal(last.details.reproducible.verdict, 'same')
    assert.equal(last.outputs.platforms, 'linux/amd64,linux/arm64')
    assert.deepEqual(tagsOf(last), ['org/app/image:main'])
    const variant = await leg('image-x86_64', 'ubuntu-24.04')
    assert.deepEqual(tagsOf(variant), ['org/app/image-x86_64:main'])

    const account = ['--registry-username', login.username, '--registry-password', login.password]
    const workflow = `https://github.com/${repositoryName}/.github/workflows/image.yml@refs/heads/main`
    for (const main of [last, variant]) {
      const argv = ['verify', ...signedBy(workflow), ...account, `${main.outputs.image}`]
      const { code, stdout, stderr } = await cosign('cosign', { directory, sigstore }, argv)
      assert.equal(code, 0, stderr)
      assert.ok(stdout.includes(main.outputs.digest ?? '?'))
    }
    const unsigned = await cosign('cosign', { directory, sigstore }, [
      ...['verify', ...signedBy(workflow), ...account],
      waiting.outputs.image ?? '',
    ])
    assert.notEqual(unsigned.code, 0, 'the index is signed, and not its children')
  } finally {
    await rm(directory, { recursive: true })
  }
})

test('devcontainer: each kind is tested; only the default branch is pushed', {
  skip: withoutContainers,
}, async () => {
  const file = 'devcontainer.yml'
  const [layered, nix2container] = (await start('devcontainer', file, onMain)).legs
  for (const leg of [layered, nix2container]) {
    const main = await run('devcontainer', onMain, leg?.with ?? {}, here)
    assert.deepEqual(tagsOf(main), [`org/app/${leg?.matrix.name}:main`])
    assert.equal(main.details.tested.with, 'podman')
    const { User } = (await inspect(main.outputs.image ?? '', '--config')).config
    assert.equal(User, '1000:100')
  }

  const [, , onBase] = (await start('devcontainer', file, request)).legs
  const sent = world.registry.count({ method: 'PUT' })
  const main = await run('devcontainer', request, onBase?.with ?? {}, here)
  assert.equal(main.outputs.digest, undefined)
  assert.equal(main.details.tested.with, 'podman')
  assert.equal(world.registry.count({ method: 'PUT' }), sent)

  const decided = []
  for (const event of [pushToBranch(origin, 'feature'), request, onMain])
    decided.push((await start('devcontainer', file, event)).legs[0]?.with.push)
  assert.deepEqual(decided, ['false', 'false', 'true'])
})

test('warm: what the scheduled job has saved a pull request takes, and saves nothing', async () => {
  const nightly = await start('warm', 'warm.yml', schedule(origin))
  const saved = await run('warm', schedule(origin), nightly.legs[0]?.with ?? {})
  assert.match(saved.summary, /The store cache is warm/)
  const built = saved.details.build.builds.map(({ name }: { name: string }) => name)
  for (const name of ['lint', 'works', 'nix-shell-env'])
    assert.ok(built.includes(name), `${name} is in ${built}`)

  const { legs, later } = await start('warm', 'check.yml', request)
  const entries = world.cache.entries().length
  await using prepared = await world.prepare({
    example: 'warm',
    event: request,
    cache: { read: ['refs/heads/main'] },
    with: legs[0]?.with ?? {},
    change: async (workspace, machine) => {
      await expect(machine.run(['sh', '-c', 'echo exit >>"$0"', join(workspace, 'greet.sh')]))
    },
  })
  const main = await prepared.main()
  assert.equal(main.code, 0, main.log)
  const { build } = JSON.parse(main.outputs.metadata ?? '').details
  assert.deepEqual(build.builds, [])
  assert.ok(build.substituted.cache > 0)
  const [check = '', develop = '', ...others] = later.map(({ run = '' }) => run.replace(/^nix /, 'nix -v '))
  assert.deepEqual(others, [])
  const checked = await prepared.job.run(['bash', '-e', '-c', check])
  assert.equal(checked.code, 0, checked.log)
  // What the request has changed is built, and what it takes to build that is there.
  const made = [...checked.log.matchAll(/building '\/nix\/store\/\w+-([^']+)\.drv'/g)].map(([, name]) => name)
  assert.deepEqual(made.sort(), ['lint', 'works'], checked.log)
  const developed = await prepared.job.run(['bash', '-e', '-c', develop])
  assert.equal(developed.code, 0, developed.log)
  assert.doesNotMatch(developed.log, /building '/)
  const post = await prepared.post()
  assert.equal(post.code, 0, post.log)
  assert.equal(world.cache.entries().length, entries)
})

test('self-hosted: the next job on the machine finds Nix and its store', async () => {
  const { job, legs } = await start('self-hosted', 'machine.yml', onMain)
  assert.deepEqual(job['runs-on'], ['self-hosted', 'linux', 'x64'])
  const given = legs[0]?.with ?? {}
  const first = await run('self-hosted', onMain, given, here)
  assert.deepEqual(tagsOf(first), ['org/app:main'])
  // Neither from a mirror nor from a cache; and with a change, so that the image is not known without a look.
  const asked = world.mirror.requests.length
  const second = await run('self-hosted', onMain, given, {
    ...here,
    change: async (workspace, machine) => {
      await expect(machine.run(['rm', join(workspace, 'README.md')]))
    },
  })
  assert.notDeepEqual(first.details.build.builds, [])
  assert.equal(second.outputs.digest, first.outputs.digest)
  assert.deepEqual(second.details.build.builds, [])
  assert.equal(world.mirror.requests.length, asked)
})

test("self-hosted: in a container, as root and without sudo, in a workspace of the runner's user", {
  skip: Machine.withoutUsers(),
}, async () => {
  const { job, legs, later } = await start('self-hosted', 'container.yml', onMain)
  assert.equal(job.container, 'buildpack-deps:bookworm')
  const [trust = '', use = '', ...others] = later.map(({ run = '' }) => run)
  assert.deepEqual(others, [])
  const given = { ...legs[0]?.with, 'nix-conf': 'substituters =' }
  const round = async (more: Record<string, string>) => {
    const prepared = await world.prepare({
      example: 'self-hosted',
      event: onMain,
      machine: { sudo: false },
      with: { ...given, ...more },
      // All but what a checkout makes in the container itself.
      change: async (workspace, machine) => {
        await expect(machine.run(['chown', '1001:1001', workspace]))
      },
    })
    const main = await prepared.main()
    assert.equal(main.code, 0, main.log)
    const { push } = JSON.parse(main.outputs.metadata ?? '').details
    return { prepared, main, known: push.images[0].known }
  }
  const first = await round({})
  await using one = first.prepared
  assert.deepEqual(tagsOf(first.main), ['org/app/from-container:main'])
  const untold = await one.job.run(['sh', '-e', '-c', use])
  assert.notEqual(untold.code, 0)
  assert.match(untold.log, /is not owned by current user/)
  const told = await one.job.run(['sh', '-e', '-c', `${trust}\n${use}`])
  assert.equal(told.code, 0, told.log)
  const post = await one.post()
  assert.equal(post.code, 0, post.log)

  const second = await round({ 'install-nix': 'if-needed' })
  await using _two = second.prepared
  assert.deepEqual([second.known, second.main.outputs['nix-version']], ['source', undefined])
})

test('self-hosted: the registry of the enterprise gets its own login, and no token of the job', async () => {
  const event = pushTag(origin, 'v2.0.1')
  const { legs } = await start('self-hosted', 'registry.yml', event)
  const main = await run('self-hosted', event, legs[0]?.with ?? {}, here)
  const tags = ['2.0.1', event.sha.slice(0, 7), 'latest']
  assert.deepEqual(
    tagsOf(main),
    tags.map(tag => `platform/toolbox:${tag}`),
  )
  const refused = enterprise.requests.filter(request => request.login !== 'none' && request.status === 401)
  assert.deepEqual(refused, [], 'no other login was tried')
  assert.ok(!`${main.log}${main.summary}`.includes(enterpriseLogin.password))
})

test('no workflow of an example was left out', {
  skip: withoutContainers || withoutCosign('cosign') || process.arch !== 'x64',
}, () => {
  const all = globSync('*/.github/workflows/*', { cwd: examplesFolder })
  assert.deepEqual([...started].sort(), all.sort())
})
