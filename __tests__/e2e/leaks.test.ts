import assert from 'node:assert/strict'
import { test } from 'node:test'
import { findLeaks, placeOfArguments, placeOfFolder, placeOfMachine, placesOfStep } from '../harness/leaks.ts'
import { Machine } from '../harness/machine.ts'
import { githubToken, login, World } from '../harness/world.ts'

for (const user of ['root', 'runner'] as const) {
  const skip = user === 'runner' && Machine.withoutUsers()
  test(`no token is in a log, summary, argv, cache entry, image or file left behind: ${user}`, {
    skip,
  }, async () => {
    await using world = await World.create({ template: 'busybox' })
    const since = new Date()
    // Under strace sudo gains no rights, so arguments are looked at where there is none.
    const trace = user === 'root'
    await using prepared = await world.prepare({
      user,
      trace,
      machine: { sudo: user === 'runner' },
      with: { image: '.#image-stream' },
    })
    const main = await prepared.main()
    assert.equal(main.code, 0, main.log)
    const end = await prepared.job.end()
    const [post] = end.posts
    assert.ok(post)
    assert.equal(post.code, 0, post.log)
    if (trace) assert.match(end.executed, /nix-store|"nix"/, 'the arguments were recorded')
    assert.deepEqual(end.orphans, [], 'no process is left behind')

    const secrets = {
      'registry password': login.password,
      'GitHub token': githubToken,
      ...Object.fromEntries(world.cache.secrets().map((secret, index) => [`cache secret ${index}`, secret])),
      ...Object.fromEntries(
        world.registry.secrets().map((secret, index) => [`registry secret ${index}`, secret]),
      ),
    }
    const places = [
      ...placesOfStep('main', main),
      ...placesOfStep('post', post),
      placeOfArguments(end),
      await placeOfFolder('cache', world.cache.directory),
      await placeOfFolder('registry', world.registryFolder),
      await placeOfMachine(prepared.machine, since),
    ]
    assert.deepEqual(await findLeaks(secrets, places), [])
  })
}
