import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { after, test } from 'node:test'
import { expect } from '../harness/nix-by-hand.ts'
import { World } from '../harness/world.ts'

const world = await World.create({ template: 'busybox' })
after(() => world[Symbol.asyncDispose]())

test('a store that outlives its jobs stays within the bound: never Nix, never what a root holds, never beside another job', async () => {
  await using machine = await world.machine({ user: 'root' })
  const store = () => readdirSync(machine.path('/nix/store')).filter(name => /^\w{32}-/.test(name))
  const named = (name: string) => store().find(one => one.slice(33) === name)
  const scope = { image: '', 'cache-scope': 'persistent' }
  const run = async (inputs: Record<string, string>) => {
    await using job = await world.prepare({ on: machine, with: { ...scope, ...inputs } })
    const main = await job.main()
    assert.equal(main.code, 0, main.log)
    const post = await job.post()
    assert.equal(post.code, 0, post.log)
    return { main, post }
  }

  await run({ warm: '.#busybox\n.#image-stream' })
  const [busybox, stream] = [named('busybox'), named('stream-busybox')]
  assert.ok(busybox && stream, 'what fits stays')
  world.cache.forget()
  await run({ warm: '.#busybox' })
  const packs = world.cache.calls.filter(({ key }) => key?.startsWith('nia1-pack-'))
  assert.deepEqual(packs, [], 'what is there is not fetched')
  assert.deepEqual([named('busybox'), named('stream-busybox')], [busybox, stream])

  await expect(machine.run(['ln', '-s', `/nix/store/${busybox}`, '/nix/var/nix/gcroots/mine']))
  const other = '/nix/.nix-image-action/jobs/other'
  await expect(machine.run(['sh', '-c', `mkdir -p /work-of-other && echo -n /work-of-other > ${other}`]))
  const beside = await run({ warm: '.#busybox', 'cache-size': '1K' })
  assert.match(beside.post.log, /The store is not collected: another job uses it/)
  assert.ok(named('stream-busybox'))

  // The other one was killed, long ago.
  await expect(machine.run(['sh', '-c', `rmdir /work-of-other && touch -d '7 hours ago' ${other}`]))
  const alone = await run({ warm: '.#busybox', 'cache-size': '1K' })
  assert.match(alone.post.log, /Collected \d+ paths? of the store/)
  assert.deepEqual([named('busybox'), named('stream-busybox')], [busybox, undefined])
  const nix = readdirSync(machine.path('/nix/var/nix/gcroots/nix-image-action'))
  assert.equal(nix.length, 1)

  const again = await run({ warm: '.#image-stream' })
  assert.equal(JSON.parse(again.main.outputs.metadata ?? '').details.nix.how, 'found')
  assert.ok(named('stream-busybox'), 'Nix works, and what is needed comes back')
})
