import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { partsBin } from '../../script/parts/paths.ts'
import { startDockerd } from '../harness/dockerd.ts'
import { Machine } from '../harness/machine.ts'
import { setUpPodman } from '../harness/podman.ts'
import { World } from '../harness/world.ts'

const world = await World.create({ template: 'redis', keptNix: true })
after(() => world[Symbol.asyncDispose]())
const name = `${world.registry.host}/org/loaded`
const withDocker = { PATH: `${partsBin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin` }

test('load: Docker has the image that is pushed, and starts it', {
  skip: Machine.withoutUsers(),
}, async t => {
  for (const image of ['.#image', '.#archive-gz']) {
    await using prepared = await world.prepare({ with: { name, image, load: 'true' }, env: withDocker })
    const docker = await startDockerd(prepared.machine)
    const main = await prepared.main()
    assert.equal(main.code, 0, main.log)
    const { push, loaded } = JSON.parse(main.outputs.metadata ?? '').details
    assert.deepEqual([loaded.into, loaded.references], ['docker', [`${name}:main`]])
    const id = (await docker('inspect', '--format', '{{.Id}}', `${name}:main`)).trim()
    assert.equal(id, loaded.id)
    assert.match(main.log, new RegExp(`Loaded ${id} into docker as ${name}:main`))
    assert.equal(push.digest, main.outputs.digest)
    if (Machine.withoutContainers() !== false) return t.skip(String(Machine.withoutContainers()))
    const container = (await docker('run', '--detach', '--network=none', `${name}:main`)).trim()
    await docker('exec', container, 'sh', '-c', 'until redis-cli ping; do :; done')
  }
})

test('load: Podman has the image where Docker is not', { skip: Machine.withoutUsers() }, async () => {
  await using machine = await world.machine({ user: 'root' })
  const podman = await setUpPodman(machine)
  // A Docker client without a daemon, as some runners have it.
  const env = { ...podman, DOCKER_HOST: 'unix:///nowhere' }
  const { main } = await world.run({ on: machine, with: { name, load: 'true', push: 'false' }, env })
  assert.equal(main.code, 0, main.log)
  const { loaded } = JSON.parse(main.outputs.metadata ?? '').details
  assert.equal(loaded.into, 'podman')
  const inspect = ['podman', 'inspect', '--format', '{{.Id}}', `${name}:main`]
  const { stdout } = await machine.run(inspect, { env: { ...machine.env, ...podman } })
  assert.equal(`sha256:${stdout.trim()}`, loaded.id)
  assert.match(main.summary, /Loaded \| into podman: <code>/)
})

test('load: without an engine that is said before anything is built', async () => {
  const { main } = await world.run({ with: { name, load: 'true' }, env: { PATH: '/usr/bin:/bin' } })
  assert.equal(main.code, 1)
  assert.match(main.errors[0]?.message ?? '', /neither Docker nor Podman answers on this runner/)
  assert.doesNotMatch(main.log, /Evaluate/)
})

test('load: an engine that takes nothing is told, and nothing is pushed', async () => {
  world.registry.forget()
  await using prepared = await world.prepare({ with: { name, load: 'true' }, env: withDocker })
  const docker = await startDockerd(prepared.machine)
  assert.match(await docker('info'), /Storage Driver/)
  // Its storage cannot be written to any more.
  const root = { as: 'root' } as const
  const { code } = await prepared.machine.run(
    ['mount', '-t', 'tmpfs', '-o', 'size=8k', 'tmpfs', '/var/lib/docker/tmp'],
    root,
  )
  assert.equal(code, 0)
  const main = await prepared.main()
  assert.equal(main.code, 1)
  assert.match(main.errors[0]?.message ?? '', /docker did not take the image/)
  assert.equal(world.registry.count({ method: 'PUT' }), 0)
})
