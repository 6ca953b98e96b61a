import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { SerializedBundle } from '@sigstore/bundle'
import { blocksOf } from '../harness/blocks.ts'
import { Machine } from '../harness/machine.ts'
import { expect } from '../harness/nix-by-hand.ts'
import { setUpPodman } from '../harness/podman.ts'
import { type Event, pullRequest, pushTag, pushToDefaultBranch } from '../harness/runner/events.ts'
import { cosign, signedBy, withoutCosign } from '../harness/sigstore/cosign.ts'
import { startSigstore } from '../harness/sigstore/sigstore.ts'
import { skopeo } from '../harness/skopeo.ts'
import { parseWorkflow, start, type Workflow } from '../harness/workflow.ts'
import { githubToken, login, type RunOptions, repositoryName, World } from '../harness/world.ts'

// The text of the README is run as it stands there. What its flake takes in is not to be had here: it is locked to what
// __tests__/flakes/stand-ins has in nixpkgs' place.
const blocks = blocksOf('README.md')
const [shortest, whole, ...others] = blocks
  .filter(({ language }) => language === 'yaml')
  .map(({ text }) => parseWorkflow(text))
assert.ok(shortest !== undefined && whole !== undefined && others.length === 0)

const world = await World.create({ template: 'examples', keptNix: true })
const sigstore = await startSigstore()
const directory = await mkdtemp(join(tmpdir(), 'cosign-'))
/** Nix and what it has built stay from job to job, since to install it takes the longest. */
const shared = await world.machine({ user: 'root' })
const podman = await setUpPodman(shared)
after(async () => {
  await Promise.all([world[Symbol.asyncDispose](), sigstore.close(), shared.dispose()])
  await rm(directory, { recursive: true })
})

const origin = { repository: repositoryName }
const [amd, arm] = ['ubuntu-24.04', 'ubuntu-24.04-arm']
const skip = Machine.withoutUsers() || Machine.withoutContainers()
const skipTwo =
  skip || withoutCosign('cosign') || (process.arch !== 'x64' && 'this machine has another system of its own')

let runs = 70

/** A run of a workflow for an event: gives what runs the job of a runner, on this machine. */
function runOf(workflow: Workflow, event: Event, options: RunOptions = {}) {
  const { permissions } = workflow
  const { legs } = start(workflow, event)
  const run = `${++runs}`
  sigstore.githubToken(repositoryName, {
    token: githubToken,
    attestations: permissions.attestations === 'write',
  })
  const idTokens = permissions['id-token'] === 'write' ? sigstore.idTokens({ ...origin, ref: event.ref }) : {}
  const account = permissions.packages === 'write' ? {} : { password: '' }
  return async (runner: string) => {
    const leg = legs.find(({ runsOn }) => runsOn.join() === runner)
    assert.ok(leg !== undefined, runner)
    // This machine is no ARM, and only claims to be one: busybox makes what is for it, and nothing of it can be started.
    const conf = 'substituters =\nextra-platforms = aarch64-linux'
    const elsewhere = { systems: 'aarch64-linux', 'nix-conf': conf, test: '' }
    world.registry.forget()
    const { main, post } = await world.run({
      ...{ event, on: shared, workflow: { run } },
      env: { ...podman, ...sigstore.env },
      cache: { read: ['refs/heads/main'] },
      ...options,
      services: { GITHUB_API_URL: sigstore.url, ...(options.services ?? idTokens) },
      with: { ...leg.with, ...account, ...(runner === arm ? elsewhere : {}), ...options.with },
    })
    assert.equal(main.code, 0, main.log)
    assert.equal(post.code, 0, post.log)
    const { details } = JSON.parse(main.outputs.metadata ?? '')
    const phases: string[] = details.phases.map(({ name }: { name: string }) => name)
    return { ...main, details, phases }
  }
}

/** What the last job has written into the registry. */
const written = () =>
  world.registry.requests.filter(({ method }) => ['PUT', 'POST', 'PATCH', 'DELETE'].includes(method))

/** What it has put manifests as, in their order: digests and tags. */
const manifests = () =>
  written().flatMap(({ path, status }) =>
    status === 201 ? (/\/manifests\/(.+)$/.exec(path)?.slice(1) ?? []) : [],
  )

/** A document of the registry's, as skopeo reads it. */
async function inspect(reference: string, ...args: string[]) {
  const argv = ['inspect', ...args, '--tls-verify=false', `--creds=${login.username}:${login.password}`]
  const { code, stdout, stderr } = await skopeo(world.registryFolder, [...argv, `docker://${reference}`])
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout)
}

/** A command that the README shows, by how it begins, for the image in the registry here. */
function shownCommand(begin: string): string[] {
  const lines = blocks
    .filter(({ language }) => language === 'sh')
    .flatMap(({ text }) => text.replaceAll(/\\\n\s*/g, '').split('\n'))
  const [line, another] = lines.filter(line => line.startsWith(begin))
  assert.ok(line !== undefined && another === undefined, begin)
  return line.replaceAll('ghcr.io/me/app', world.imageName).replaceAll('me/app', repositoryName).split(' ')
}

async function verify(args: readonly string[]) {
  const account = ['--registry-username', login.username, '--registry-password', login.password]
  return await cosign('cosign', { directory, sigstore }, ['verify', ...account, ...args])
}

/** What the signatures that cosign has found are about: the digest, and the kinds of statement. */
function statements(stdout: string): string[][] {
  type Found = { critical: { type: string; image: { 'docker-manifest-digest': string } } }
  const found: Found[] = JSON.parse(stdout)
  return found.map(({ critical }) => [critical.image['docker-manifest-digest'], critical.type]).sort()
}

const signedAndAttested = (digest = '?') =>
  [
    [digest, 'https://slsa.dev/provenance/v1'],
    [digest, 'https://sigstore.dev/cosign/sign/v1'],
  ].sort()

test('two architectures, on a push to main: whoever comes last publishes the index of both, signed', {
  skip: skipTwo,
}, async () => {
  const job = runOf(whole, pushToDefaultBranch(origin), { example: 'readme' })
  const first = await job(amd)
  const order = first.phases.filter(name => ['build', 'inspect', 'test', 'push'].includes(name))
  assert.deepEqual(order, ['build', 'inspect', 'test', 'push'])
  assert.deepEqual(first.details.check.uninspected, [])
  assert.equal(first.details.tested.with, 'podman')
  const [tested] = first.groups.filter(({ title }) => title === 'Test: hello --version')
  assert.match(tested?.lines.join('\n') ?? '', /^hello \(/m)
  assert.deepEqual([first.outputs.platforms, first.outputs.tags], ['linux/amd64', ''])
  assert.deepEqual(manifests(), [first.outputs.digest], 'by its digest, and nothing else')
  assert.deepEqual(sigstore.stored, [])

  const last = await job(arm)
  const { digest = '' } = last.outputs
  assert.equal(last.outputs.platforms, 'linux/amd64,linux/arm64')
  assert.equal(last.outputs.tags, `${world.imageName}:main`)
  assert.deepEqual(last.details.check.uninspected, [])
  // The tag is last: it never names what is not signed.
  assert.equal(manifests().at(-1), 'main')
  assert.equal(manifests().filter(name => name === 'main').length, 1)
  const index = await inspect(`${world.imageName}:main`, '--raw')
  assert.deepEqual(
    index.manifests.map(({ platform }: { platform: object }) => platform),
    [
      { architecture: 'amd64', os: 'linux' },
      { architecture: 'arm64', os: 'linux' },
    ],
  )
  assert.equal(index.manifests[0].digest, first.outputs.digest)
  for (const { digest, platform } of index.manifests) {
    const config = await inspect(`${world.imageName}@${digest}`, '--config')
    assert.equal(config.architecture, platform.architecture)
  }

  const [program, ...args] = shownCommand('cosign verify ')
  assert.equal(program, 'cosign')
  const accepted = await verify(args.slice(1))
  assert.equal(accepted.code, 0, accepted.stderr)
  assert.deepEqual(statements(accepted.stdout), signedAndAttested(digest))
  // What GitHub keeps is about the index, too.
  const [bundle, another] = sigstore.stored as readonly SerializedBundle[]
  assert.equal(another, undefined)
  const statement = JSON.parse(Buffer.from(bundle?.dsseEnvelope?.payload ?? '', 'base64').toString())
  assert.deepEqual(statement.subject, [{ name: world.imageName, digest: { sha256: digest.slice(7) } }])

  const [, ...run] = shownCommand('docker run ')
  const access = ['--tls-verify=false', `--creds=${login.username}:${login.password}`]
  const argv = ['podman', 'run', ...access, ...run.slice(1)]
  const said = await expect(shared.run(argv, { env: { ...shared.env, ...podman } }))
  assert.equal(said.trim(), 'Hello, world!')
})

test('two architectures, on a tag: the other order, and the version', { skip: skipTwo }, async () => {
  const event = pushTag(origin, 'v1.2.3')
  const job = runOf(whole, event, { example: 'readme' })
  const first = await job(arm)
  assert.equal(first.outputs.tags, '')
  const last = await job(amd)
  assert.equal(last.outputs.platforms, 'linux/amd64,linux/arm64')
  assert.deepEqual(last.outputs.tags?.split('\n'), [`${world.imageName}:1.2.3`, `${world.imageName}:latest`])
  const release = `https://github.com/${repositoryName}/.github/workflows/image.yml@${event.ref}`
  const accepted = await verify([...signedBy(release), `${world.imageName}:1.2.3`])
  assert.equal(accepted.code, 0, accepted.stderr)
  assert.deepEqual(statements(accepted.stdout), signedAndAttested(last.outputs.digest))
})

/** What a pull request does: without a change of its own all would be built already. */
const changed = (name: string) => async (workspace: string, machine: Machine) => {
  const file = join(workspace, 'flake.nix')
  const text = await expect(machine.run(['cat', file]))
  const other = text.replace(/name = "\w+"/, `name = "${name}"`)
  assert.notEqual(other, text)
  await machine.plant(file, other)
}

/** What Sigstore and GitHub were asked, but for GitHub's list of caches. */
const signing = () => sigstore.requests.filter(request => !request.endsWith('/actions/caches'))

/** Runs the job of a pull request. @throws AssertionError when it builds nothing, or something leaves the runner */
async function kept(job: ReturnType<typeof runOf>, runner: string) {
  const asked = signing()
  const main = await job(runner)
  assert.notDeepEqual(main.details.build.builds, [])
  assert.deepEqual(main.details.check.uninspected, [])
  assert.deepEqual([main.outputs.digest, main.outputs.tags], [undefined, undefined])
  assert.deepEqual(written(), [])
  assert.deepEqual(signing(), asked)
  return main
}

test('two architectures, in a pull request: built and tested, and nothing is pushed or signed', {
  skip: skipTwo,
}, async () => {
  const own = pullRequest(origin, { number: 7, head: 'feature' })
  const job = runOf(whole, own, { example: 'readme', change: changed('feature') })
  assert.equal((await kept(job, amd)).details.tested.with, 'podman')
  await kept(job, arm)

  // A fork's gets no token that may push, sign or save a cache.
  const theirs = pullRequest(origin, { number: 8, head: 'fix', fork: 'mona/App' })
  const fork = runOf(whole, theirs, {
    ...{ example: 'readme', change: changed('fix') },
    ...{ cache: { read: ['refs/heads/main'], readOnly: true }, services: {}, with: { password: '' } },
  })
  assert.equal((await kept(fork, amd)).details.tested.with, 'podman')
})

test('the shortest workflow, with the shortest example: main is published, a pull request is not', {
  skip,
}, async () => {
  const example = { example: 'hello', with: { name: `${world.registry.host}/org/hello` } }
  const pushed = await runOf(shortest, pushToDefaultBranch(origin), example)(amd)
  assert.equal(pushed.outputs.tags, `${world.registry.host}/org/hello:main`)
  const { architecture } = await inspect(pushed.outputs.image ?? '', '--config')
  assert.equal(architecture, process.arch === 'x64' ? 'amd64' : 'arm64')

  const request = pullRequest(origin, { number: 9, head: 'feature' })
  await kept(runOf(shortest, request, { ...example, change: changed('feature') }), amd)
})
