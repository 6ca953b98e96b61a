import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { partsBin } from '../../script/parts/paths.ts'
import { startDockerd } from '../harness/dockerd.ts'
import { Machine } from '../harness/machine.ts'
import { expect } from '../harness/nix-by-hand.ts'
import { setUpPodman } from '../harness/podman.ts'
import { skopeo } from '../harness/skopeo.ts'
import { actionFolder, login, type RunOptions, World } from '../harness/world.ts'

const path = `${partsBin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`
const withoutContainers = Machine.withoutUsers() || Machine.withoutContainers()
const skip = { skip: withoutContainers }

/** A runner of somebody's own, with Docker; what one job builds is there for the next. */
const world = await World.create({ template: 'redis', keptNix: true })
after(() => world[Symbol.asyncDispose]())
const machines = new AsyncDisposableStack()
after(() => machines.disposeAsync())
let machine: Machine
let docker: (...args: string[]) => Promise<string>
before(async () => {
  if (withoutContainers !== false) return
  machine = machines.use(await world.machine({ user: 'root' }))
  docker = await startDockerd(machine)
})

let names = 0

/** A run that has published nothing under its name before. */
function settings(test: string, more: RunOptions = {}): RunOptions & { readonly name: string } {
  const name = `${world.registry.host}/org/tested-${names++}`
  world.registry.forget()
  return {
    on: machine,
    cache: 'none',
    env: { PATH: path },
    ...more,
    with: { cache: 'false', name, test, ...more.with },
    name,
  }
}

async function run(test: string, more?: RunOptions) {
  const { main } = await world.run(settings(test, more))
  const details = JSON.parse(main.outputs.metadata ?? '{}').details
  return { ...main, details, said: main.errors[0]?.message ?? '' }
}

/** Containers, images and volumes that Docker has. */
async function whatDockerHas(): Promise<string[]> {
  const lists = [
    docker('ps', '--all', '--format', '{{.Names}}'),
    docker('images', '--all', '--format', '{{.Repository}}:{{.Tag}}'),
    docker('volume', 'ls', '--quiet'),
  ]
  return (await Promise.all(lists)).flatMap(text => text.split('\n').filter(Boolean))
}

function assertNothingPushed(): void {
  for (const method of ['PUT', 'POST', 'PATCH']) assert.equal(world.registry.count({ method }), 0, method)
}

function testGroups({ groups }: Awaited<ReturnType<typeof run>>) {
  return groups.filter(({ title }) => title.startsWith('Test: '))
}

/** What the registry has as an image's config: its image id. */
async function configOf(reference: string): Promise<string> {
  const credentials = `--creds=${login.username}:${login.password}`
  const what = ['inspect', '--raw', '--tls-verify=false', credentials, `docker://${reference}`]
  const { code, stdout, stderr } = await skopeo(world.registryFolder, what)
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout).config.digest
}

test('commands that work: their output is in the log, and what they ran in is pushed', skip, async () => {
  const main = await run('redis-server --version\n# as the user of the config\nid -u')
  assert.equal(main.code, 0, main.log)
  assert.deepEqual(
    testGroups(main).map(({ title, lines }) => [title, lines[0]?.slice(0, 15)]),
    [
      ['Test: redis-server --version', 'Redis server v='],
      ['Test: id -u', '999'],
    ],
  )
  const { tested, push } = main.details
  assert.deepEqual([tested.with, tested.lines], ['docker', ['redis-server --version', 'id -u']])
  assert.equal(tested.id, await configOf(`${push.name}@${push.digest}`))
  assert.match(
    main.summary,
    /\| Tested \| with docker in .* s: <code>redis-server --version<\/code>, <code>id -u/,
  )
  assert.equal(main.details.loaded, undefined)
  assert.deepEqual(await whatDockerHas(), [])
})

test(
  'a service: started as the image is, waited for, and probed; with `load` the image stays',
  skip,
  async () => {
    const plain = await run('start:\nwait: port 6379\nrun: redis-cli ping')
    assert.equal(plain.code, 0, plain.log)
    const [lines = []] = testGroups(plain).map(({ lines }) => lines)
    // What the service prints comes by a way of its own, and may come among what is printed of a test.
    assert.ok(lines.includes('The sample app starts redis-server'), lines.join('\n'))
    assert.match(lines.join('\n'), /\nrun: redis-cli ping\n.*PONG$/s)
    assert.deepEqual(await whatDockerHas(), [])

    const given = await run(
      [
        "start: redis-server --maxclients 99 --save '' --dir /data",
        'wait: log Ready to accept connections',
        "run: sh -c 'redis-cli config get maxclients | grep -x 99'",
        // What was printed before counts too.
        'wait: log The sample app starts',
        'timeout: 60',
      ].join('\n'),
      { with: { load: 'true' } },
    )
    assert.equal(given.code, 0, given.log)
    const { loaded, tested, push } = given.details
    assert.deepEqual([loaded.id, tested.id], [await configOf(`${push.name}@${push.digest}`), loaded.id])
    assert.deepEqual(await whatDockerHas(), [`${push.name}:main`])
    await docker('rmi', `${push.name}:main`)
  },
)

test(
  'a command that fails: nothing is pushed, its words are told and not obeyed, the next is not run',
  skip,
  async () => {
    const main = await run(
      [
        'true',
        `sh -c 'echo to stderr >&2; echo "::set-output name=digest::evil"; echo "x ##[error]evil"; env; exit 3'`,
        'echo not reached',
      ].join('\n'),
      { env: { PATH: path, SECRET_OF_THE_JOB: 'hunter2' } },
    )
    assert.equal(main.code, 1)
    assert.match(main.said, /^The test failed: `sh -c .*` ended with 3\.\n/)
    assert.deepEqual([main.errors.length, main.outputs.digest], [1, undefined])
    assert.doesNotMatch(main.log, /Test: echo not reached|SECRET_OF_THE_JOB|GITHUB_/)
    assert.match(main.summary, /^### ❌ The test failed: nothing was published\n/)
    assert.match(main.summary, /\n```\n.*to stderr\n.*exit 3|\n```\n(.*\n)*to stderr\n/)
    assert.equal(main.details.tested, undefined)
    assertNothingPushed()
    assert.deepEqual(await whatDockerHas(), [])
  },
)

/** A job in whose test the container has begun to run, for as long as it is let. */
async function amidst(words: string) {
  const prepared = await world.prepare(settings(words))
  const begun = Promise.withResolvers<void>()
  const step = await prepared.job.startUses({
    ...{ action: actionFolder, id: 'image', with: prepared.with },
    onLine: line => line === 'begun' && begun.resolve(),
  })
  await Promise.race([begun.promise, step.done.then(({ log }) => assert.fail(log))])
  return { prepared, step }
}

test('a job that is cancelled in its test leaves nothing behind', skip, async () => {
  for (const words of [
    "sh -c 'echo begun; sleep 1000'",
    "start: sh -c 'echo begun; sleep 1000'\nwait: port 1",
  ]) {
    const { prepared, step } = await amidst(words)
    step.kill('SIGINT')
    const main = await step.done
    assert.deepEqual(
      main.errors.map(({ message }) => message),
      ['The job was cancelled.'],
    )
    assertNothingPushed()
    assert.deepEqual(await whatDockerHas(), [])
    await prepared.job.end()
  }
})

test('a step that is killed in its test leaves it to the end of the job', skip, async () => {
  const { prepared, step } = await amidst("sh -c 'echo begun; sleep 1000'")
  step.kill('SIGKILL')
  await step.done
  assert.equal((await whatDockerHas()).length, 2)
  const post = await prepared.post()
  assert.deepEqual([post.code, post.warnings], [0, []], post.log)
  assert.deepEqual(await whatDockerHas(), [])
})

test(
  'what was tested is what is pushed: where the store changes in between, no manifest is sent',
  skip,
  async () => {
    // Docker as it is, and someone who writes to the store when it has the image: a byte, of the same length.
    const someone = [
      '#!/bin/sh',
      `${partsBin}/docker "$@" || exit`,
      '[ "$1" = load ] || exit 0',
      'for file in /nix/store/*-app/etc/redis.conf; do',
      '  chmod u+w "$file" && printf B | dd of="$file" conv=notrunc 2>/dev/null && chmod u-w "$file"',
      'done',
    ].join('\n')
    await machine.plant('/opt/someone/docker', someone, 0o755)
    const main = await run('true', { env: { PATH: `/opt/someone:${path}` } })
    assert.equal(main.code, 1)
    assert.match(main.said, /the image is not the one that was loaded or tested: that was sha256:/)
    assert.equal(main.details.tested.id.length, 71)
    assert.equal(world.registry.count({ method: 'PUT', path: /\/manifests\// }), 0)
    assert.deepEqual(await whatDockerHas(), [])
  },
)

test('without an engine that is said before anything is built', async () => {
  const main = await run('true', { env: { PATH: '/usr/bin:/bin' } })
  assert.equal(main.code, 1)
  assert.match(main.said, /There is a `test`, and neither Docker nor Podman answers on this runner/)
  assert.doesNotMatch(main.log, /Evaluate/)
})

test('Podman is used where Docker is not', skip, async () => {
  await using on = await world.machine({ user: 'root' })
  const podman = await setUpPodman(on)
  // A Docker client without a daemon, as some runners have it.
  const env = { ...podman, DOCKER_HOST: 'unix:///nowhere' }
  const works = await run('start:\nwait: port 6379\nrun: redis-cli ping', { on, env })
  assert.equal(works.code, 0, works.log)
  assert.deepEqual(
    [works.details.tested.with, works.details.tested.id],
    ['podman', await configOf(String(works.outputs.image))],
  )
  const fails = await run("start: sh -c 'echo no; exit 5'\nwait: port 1", { on, env })
  assert.equal(fails.code, 1)
  assert.match(fails.said, /the container ended with 5 before `wait: port 1` was done\.\n(.*\n)*no\n/)
  assertNothingPushed()
  for (const list of [
    ['ps', '--all', '--quiet'],
    ['images', '--all', '--quiet'],
    ['volume', 'ls', '--quiet'],
  ])
    assert.equal(await expect(on.run(['podman', ...list], { env: { ...on.env, ...env } })), '')
})

test('what was published without a test has to pass it, once', skip, async () => {
  const name = `${world.registry.host}/org/known-and-tested`
  const again = async (test: string) => {
    const inputs = { name, 'cache-scope': 'tested', ...(test === '' ? {} : { test }) }
    const { main, post } = await world.run({ on: machine, env: { PATH: path }, with: inputs })
    assert.equal(post.code, 0, post.log)
    const { details } = JSON.parse(main.outputs.metadata ?? '{}')
    return [main.code, details.push?.images[0].known, details.tested !== undefined]
  }
  assert.deepEqual(await again(''), [0, undefined, false])
  assert.deepEqual(await again(''), [0, 'source', false])
  assert.deepEqual(await again('redis-cli --no-such-option'), [1, undefined, false])
  assert.deepEqual(await again('redis-cli --version'), [0, undefined, true])
  assert.deepEqual(await again('redis-cli --version'), [0, 'source', false])
  assert.deepEqual(await again(''), [0, 'source', false])
})
