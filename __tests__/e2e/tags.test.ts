import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { partsBin } from '../../script/parts/paths.ts'
import { exec } from '../../src/util/exec.ts'
import { startDockerd } from '../harness/dockerd.ts'
import { Machine } from '../harness/machine.ts'
import { pushTag, pushToBranch, pushToDefaultBranch } from '../harness/runner/events.ts'
import { skopeo } from '../harness/skopeo.ts'
import { login, type RunOptions, repositoryName, World } from '../harness/world.ts'

const world = await World.create({ template: 'busybox', keptNix: true })
const home = await mkdtemp(join(tmpdir(), 'skopeo-'))
after(async () => {
  await world[Symbol.asyncDispose]()
  await rm(home, { recursive: true })
})

const git = async (...args: string[]) =>
  (await exec('git', ['-C', world.flake, ...args], { env: { PATH: process.env.PATH ?? '' } })).stdout.trim()
const origin = { repository: repositoryName, sha: await git('rev-parse', 'HEAD') }
const other = { ...origin, sha: 'b'.repeat(40) }
const reads = ['--tls-verify=false', '--creds', `${login.username}:${login.password}`]

async function inspect(image: string, ...how: string[]) {
  const { code, stdout, stderr } = await skopeo(home, [
    'inspect',
    '--raw',
    ...how,
    ...reads,
    `docker://${image}`,
  ])
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout)
}

/** Runs that push to a repository of their own, and what the registry then has. */
function repository(id: string) {
  const name = `${world.registry.host}/org/${id}`
  return async (options: RunOptions = {}) => {
    const inputs = { name, 'cache-scope': id, image: '.#image-stream', ...options.with }
    const { main, post } = await world.run({ event: pushToDefaultBranch(origin), ...options, with: inputs })
    assert.equal(main.code, 0, main.log)
    assert.equal(post.code, 0, post.log)
    const { details } = JSON.parse(main.outputs.metadata ?? '')
    const image = main.outputs.image ?? assert.fail('no image')
    return {
      ...{ name, main, details, known: details.push.images[0].known },
      ...{ digest: main.outputs.digest, changed: main.outputs.changed },
      manifest: await inspect(image),
      config: await inspect(image, '--config'),
    }
  }
}

const list = `
type=schedule
type=semver,pattern={{version}}
type=semver,pattern={{major}}.{{minor}}
type=semver,pattern={{major}},enable=true
type=ref,event=branch
type=ref,event=pr
type=raw,value=built-{{commit_date 'YYYYMMDD'}}
type=sha,prefix=git-
`

const image = (name: string) => `org.opencontainers.image.${name}`
const url = `https://github.com/${repositoryName}`
const always = {
  [image('description')]: 'A program and its image',
  [image('licenses')]: 'MIT',
  [image('source')]: url,
  [image('title')]: 'App',
  [image('url')]: url,
}

/** The annotations but for those that are our own. */
const said = ({ annotations }: { annotations: Record<string, string> }) =>
  Object.fromEntries(Object.entries(annotations).filter(([name]) => !name.startsWith('io.github.')))

test('a pasted list gives the tags of a release, and the package page has what it reads', async () => {
  const { main, name, manifest, digest } = await repository('pasted')({
    event: pushTag(origin, 'v1.2.3'),
    with: { tags: list, flavor: 'latest=auto\nsuffix=-box,onlatest=true' },
  })
  const day = (await git('show', '-s', '--format=%cd', '--date=format:%Y%m%d')).replace(/^/, 'built-')
  const expected = ['1.2.3', '1.2', '1', day, `git-${origin.sha.slice(0, 7)}`, 'latest'].map(
    tag => `${tag}-box`,
  )
  assert.deepEqual(
    main.outputs.tags?.split('\n'),
    expected.map(tag => `${name}:${tag}`),
  )
  for (const tag of expected) assert.deepEqual(await inspect(`${name}:${tag}`), manifest)
  assert.deepEqual(said(manifest), always)
  assert.deepEqual(main.warnings, [])
  assert.match(digest ?? '', /^sha256:/)
})

test('a git tag that is no version is told, once', async () => {
  const tags = list.replaceAll('enable=true', 'enable=true,prefix=x')
  const { main, name } = await repository('unlike')({ event: pushTag(origin, 'cut-7'), with: { tags } })
  assert.deepEqual(
    main.warnings.map(({ message }) => message),
    ["'cut-7' is no semantic version (https://semver.org), so no tag is made of it."],
  )
  assert.match(main.outputs.tags ?? '', new RegExp(`^${name}:built-\\d{8}\n${name}:git-[0-9a-f]{7}$`))
})

test('labels are in the config, and nothing else of it changes; without them it is the one that Nix made', async () => {
  const run = repository('labels')
  const plain = await run()
  assert.equal(plain.config.config.Labels, undefined)
  const annotated = await run({ with: { annotations: 'a=b\nindex:c=d' } })
  assert.deepEqual(annotated.manifest.config, plain.manifest.config)
  assert.deepEqual(said(annotated.manifest), { ...always, a: 'b' })
  assert.deepEqual([annotated.known, annotated.changed], [undefined, 'true'])
  const labels = `maintainer=me\n${image('revision')}\n${image('version')}\n${image('created')}`
  const labelled = await run({ with: { labels } })
  const created = new Date(Number(await git('show', '-s', '--format=%ct')) * 1000).toISOString()
  const { Labels, ...rest } = labelled.config.config
  assert.deepEqual(Labels, {
    ...{ maintainer: 'me', [image('revision')]: origin.sha, [image('version')]: 'main' },
    [image('created')]: created,
  })
  assert.deepEqual({ ...labelled.config, config: rest }, plain.config)
  assert.deepEqual(labelled.manifest.layers, plain.manifest.layers)
  assert.deepEqual([labelled.known, labelled.changed], [undefined, 'true'])
  // What was published first is still known, and so is what was published last.
  const again = await run()
  assert.deepEqual([again.known, again.changed, again.digest], ['source', 'false', plain.digest])
  const more = await run({ with: { labels } })
  assert.deepEqual([more.known, more.changed, more.digest], ['source', 'false', labelled.digest])
})

test('labels that vary by commit make another image of each, and nothing else does', async () => {
  const run = repository('varying')
  const plain = await run()
  const uncached = { cache: 'false' }
  const unchanged = await run({
    event: pushToBranch(other, 'next'),
    with: { ...uncached, tags: 'type=sha\nmain' },
  })
  assert.deepEqual([unchanged.known, unchanged.changed, unchanged.digest], ['output', 'false', plain.digest])
  const labels = { ...uncached, labels: image('revision') }
  const one = await run({ with: labels })
  const two = await run({ event: pushToDefaultBranch(other), with: labels })
  assert.deepEqual([one.changed, two.changed], ['true', 'true'])
  assert.deepEqual([one.known, two.known], [undefined, undefined])
  assert.deepEqual(
    [one, two].map(({ config }) => config.config.Labels[image('revision')]),
    [origin.sha, other.sha],
  )
  assert.deepEqual(one.manifest.layers, two.manifest.layers)
  const same = await run({ event: pushToDefaultBranch(other), with: labels })
  assert.deepEqual([same.known, same.changed, same.digest], ['output', 'false', two.digest])
})

test('the image that is loaded has the labels of the one that is pushed', {
  skip: Machine.withoutUsers(),
}, async () => {
  const env = { PATH: `${partsBin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin` }
  const name = `${world.registry.host}/org/loaded`
  await using prepared = await world.prepare({ with: { name, load: 'true', labels: 'a=b' }, env })
  const docker = await startDockerd(prepared.machine)
  const main = await prepared.main()
  assert.equal(main.code, 0, main.log)
  const labels = await docker('inspect', '--format', '{{json .Config.Labels}}', `${name}:main`)
  assert.deepEqual(JSON.parse(labels), { a: 'b' })
  const id = (await docker('inspect', '--format', '{{.Id}}', `${name}:main`)).trim()
  assert.equal((await inspect(main.outputs.image ?? '')).config.digest, id)
})

test('all lines that are not understood are named before anything is touched', async () => {
  world.registry.forget()
  const { main } = await world.run({
    with: { tags: 'type=semver\nx', flavor: 'latest=no', labels: 'a', annotations: 'b={{c}}' },
  })
  assert.equal(main.code, 1)
  const [{ message } = assert.fail('no error')] = main.errors
  for (const line of [
    '- type=semver: needs a pattern',
    '- latest=no: ',
    '- a: needs a value',
    '- b={{c}}: {{c}} is not known',
  ])
    assert.ok(message.includes(line), `${line} in ${message}`)
  assert.equal(world.registry.count({}), 0)
})
