import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { after, test } from 'node:test'
import { nixRelease } from '../../script/parts/paths.ts'
import type { Machine } from '../harness/machine.ts'
import { expect } from '../harness/nix-by-hand.ts'
import { byNight } from '../harness/thorough.ts'
import { World } from '../harness/world.ts'

const world = await World.create({ template: 'shells', keptNix: true })
after(() => world[Symbol.asyncDispose]())

const sets = '.#checks.*.*\n.#devShells.*.*\n.#packages.*.two^*'

/** Makes the input called nixpkgs one that is elsewhere, as it is for everybody. */
async function change(workspace: string, machine: Machine): Promise<void> {
  const elsewhere = join(dirname(workspace), 'nixpkgs')
  await expect(machine.run(['cp', '-r', join(workspace, 'nixpkgs'), elsewhere]))
  await expect(machine.run(['rm', '-r', join(workspace, 'nixpkgs'), join(workspace, 'flake.lock')]))
  const file = machine.path(join(workspace, 'flake.nix'))
  const text = await readFile(file, 'utf8')
  await writeFile(file, text.replace('path:./nixpkgs', `path:${elsewhere}`))
}

type Details = {
  build: { builds: { name: string }[]; substituted: { cache: number; upstream: number } }
}
const details = (metadata: string | undefined): Details => JSON.parse(metadata ?? '').details

for (const [index, release] of nixRelease().releases.entries()) {
  const skip = index > 0 && byNight
  test(`sets that one job has warmed serve the next one and its later steps: Nix ${release.version}`, {
    skip,
  }, async () => {
    const common = { image: '', 'cache-scope': release.version }
    const options = { release, change }
    const first = await world.run({ ...options, with: { ...common, warm: sets } })
    assert.equal(first.main.code, 0, first.main.log)
    assert.equal(first.main.outputs.cache, 'miss')
    const built = details(first.main.outputs.metadata).build.builds.map(({ name }) => name)
    for (const name of ['check-unit', 'shell-env', 'other-shell-env', 'two', 'bash-interactive'])
      assert.ok(built.includes(name), `${name} is in ${built}`)
    assert.ok(!built.includes('shell'), 'a shell that refuses to be built is not built')
    assert.equal(first.main.outputs['out-path'], undefined)
    assert.equal(first.main.outputs.digest, undefined)
    assert.match(first.main.summary, /The store cache is warm/)
    assert.equal(first.post.code, 0, first.post.log)
    assert.equal(world.registry.requests.length, 0, 'no registry is asked')

    const second = await world.run({ ...options, with: { ...common, warm: sets } })
    assert.equal(second.main.code, 0, second.main.log)
    assert.equal(second.main.outputs.cache, 'hit', second.main.log)
    const { builds, substituted } = details(second.main.outputs.metadata).build
    assert.deepEqual(builds, [])
    assert.ok(substituted.cache >= 7, `${substituted.cache} paths came from the cache`)
    assert.match(second.post.summary, /nothing new, nothing uploaded/)

    // This job needs one thing only; what its later steps need comes when they ask.
    await using prepared = await world.prepare({ ...options, with: { ...common, warm: '.#packages.*.two' } })
    const main = await prepared.main()
    assert.equal(main.code, 0, main.log)
    assert.equal(details(main.outputs.metadata).build.substituted.cache, 1)
    const steps: [string[], RegExp][] = [
      [
        ['develop', '--command', 'bash', '-c', 'source $buildInputs/bin/tool'],
        /copying path '[^']+-bash-interactive' from 'http:\/\/127[\s\S]*\na tool$/m,
      ],
      [['flake', 'check', '-L'], /check-unit/],
      [['build', '--no-link', '--print-out-paths', `.#packages.${release.system}.two^dev`], /-two-dev$/m],
    ]
    for (const [command, expected] of steps) {
      const step = await prepared.job.run(['nix', ...command, '-v'])
      assert.equal(step.code, 0, step.log)
      assert.match(step.log, expected)
      assert.doesNotMatch(step.log, /building '/)
      if (command[0] !== 'build') assert.match(step.log, /http:\/\/127\.0\.0\.1/)
    }
    const end = await prepared.job.end()
    assert.deepEqual(end.orphans, [])
  })
}

test('a pattern that matches nothing, or something broken, fails the step in words', async () => {
  const none = await world.run({ with: { image: '', warm: '.#empty.*.*', cache: 'false' } })
  assert.notEqual(none.main.code, 0)
  assert.match(none.main.errors[0]?.message ?? '', /^\.#empty\.\*\.\* matches nothing\./)
  const image = await world.run({ with: { image: '.#packages.*.two', cache: 'false' } })
  assert.match(image.main.errors[0]?.message ?? '', /image: '.*' is a pattern: .* Only `warm` takes patterns/)
})
