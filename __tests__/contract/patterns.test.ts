import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { readStamp } from '../../script/parts/paths.ts'
import { Machine } from '../harness/machine.ts'
import { expect } from '../harness/nix-by-hand.ts'
import { makeShells, type Prepared, prepare } from './build/run.ts'

const releases = readStamp()?.nix ?? []
const skip = Machine.unavailable() ?? (releases.length === 0 ? 'there is no Nix release' : false)

let sample: string
before(async () => {
  if (skip === false) sample = await makeShells()
})
after(async () => {
  if (sample !== undefined) await rm(sample, { recursive: true })
})

for (const [index, release] of releases.entries()) {
  const { system } = release
  const other = system === 'x86_64-linux' ? 'aarch64-linux' : 'x86_64-linux'

  describe(`Nix ${release.version}`, { skip }, () => {
    let at: Prepared
    before(async () => {
      at = await prepare(sample, release, { user: index % 2 === 0 ? 'root' : 'runner' })
    })
    after(() => at?.machine.dispose())
    const namesOf = async (pattern: string) => {
      const { error, evaluated } = await at.job(pattern)
      assert.equal(error, undefined)
      return evaluated.map(({ installable }) => installable.text)
    }

    test('a pattern stands for the derivations of a set, and all of them are built', async () => {
      const { error, evaluated, realised, log } = await at.job(`.#checks.${system}.*`)
      assert.equal(error, undefined)
      assert.deepEqual(
        evaluated.map(({ name, installable }) => [name, installable.text]),
        [
          ['check-dotted', `.#checks.${system}."dotted.name"`],
          ['check-lint', `.#checks.${system}.lint`],
          ['check-unit', `.#checks.${system}.unit`],
        ],
      )
      assert.deepEqual(realised?.builds.map(({ name }) => name).toSorted(), [
        'check-dotted',
        'check-lint',
        'check-unit',
        'tool',
      ])
      assert.equal(await at.run('cat', realised?.outPaths[2] ?? ''), 'echo a tool\n')
      assert.ok(log.includes(`.#checks.${system}.* stands for 3 derivations`), log.join('\n'))
    })

    test('in the place of a system it stands for that of this machine', async () => {
      assert.deepEqual(await namesOf('.#packages.*.tool'), [`.#packages.${system}.tool`])
      const foreign = await at.job(`.#packages.${other}.*`)
      assert.match(foreign.error?.message ?? '', new RegExp(`can only be built on ${other}`))
      assert.deepEqual(await namesOf('.#packages.*.*'), [
        `.#packages.${system}.default`,
        `.#packages.${system}.tool`,
        `.#packages.${system}.two`,
      ])
    })

    test('what is no derivation is left out, and each * goes one level deeper', async () => {
      assert.deepEqual(await namesOf(`.#jobs.${system}.*`), [`.#jobs.${system}.one`])
      assert.deepEqual(await namesOf(`.#jobs.${system}.*.*`), [`.#jobs.${system}.group.inner`])
      assert.deepEqual(await namesOf(`.#*.${system}.unit`), [`.#checks.${system}.unit`])
    })

    test('outputs are those that the pattern asks for', async () => {
      const { evaluated, error } = await at.job(`.#packages.${system}.two^*`)
      assert.equal(error, undefined)
      assert.deepEqual(Object.keys(evaluated[0]?.outputs ?? {}), ['dev', 'out'])
      const wrong = await at.job(`.#packages.${system}.*^dev`)
      assert.match(wrong.error?.message ?? '', /packages\.[\w-]+\.default\^dev: there is no output 'dev'/)
    })

    test('an attribute that cannot be evaluated is named, with its place', async () => {
      const { error } = await at.job(`.#broken.${system}.*`)
      assert.match(
        error?.message ?? '',
        /^\.#broken\.[\w-]+\.bad cannot be evaluated at flake\.nix:\d+: this one is/,
      )
      assert.match(error?.advice ?? '', /nix eval --show-trace \.#broken\.[\w-]+\.bad/)
      // What is not named is not evaluated.
      assert.deepEqual(await namesOf(`.#*.${system}.good`), [`.#broken.${system}.good`])
    })

    test('a pattern that matches nothing is an error that says what there is', async () => {
      const empty = await at.job(`.#empty.${system}.*`)
      assert.equal(empty.error?.message, `.#empty.${system}.* matches nothing.`)
      const none = await at.job(`.#jobs.${system}.group.inner.*`)
      assert.equal(none.error?.message, `.#jobs.${system}.group.inner.* matches nothing.`)
      const missing = await at.job(`.#chekcs.${system}.*`)
      assert.equal(missing.error?.message, `.#chekcs.${system}.*: the flake has no 'chekcs'.`)
      assert.match(missing.error?.advice ?? '', /^It has: broken, checks, devShells,/)
      const below = await at.job(`.#jobs.${system}.none.*`)
      assert.match(below.error?.advice ?? '', /^It has: group, notes, one\./)
      const strings = await at.job('.#jobs.*.notes')
      assert.match(strings.error?.message ?? '', /matches nothing that can be built\.$/)
      assert.match(strings.error?.advice ?? '', /No derivations are: jobs\.[\w-]+\.notes\./)
    })

    test('a development shell is what nix develop needs: afterwards it builds nothing, and no hook has run', async () => {
      const { error, evaluated, realised } = await at.job('.#devShells.*.*')
      assert.equal(error, undefined)
      assert.deepEqual(
        evaluated.map(({ name }) => name),
        ['shell', 'other-shell'],
      )
      for (const path of realised?.outPaths ?? []) assert.match(path, /-shell-env$/)
      assert.ok(realised?.builds.some(({ name }) => name === 'shell-env'))
      const hooks = await at.machine.run(['cat', 'hooks'], { cwd: at.workspace })
      assert.notEqual(hooks.code, 0, 'no hook has run')
      const argv = [
        'nix',
        'develop',
        '-L',
        '--offline',
        '--command',
        'bash',
        '-c',
        'source $(type -P tool || echo $buildInputs/bin/tool)',
      ]
      const later = await at.machine.run(argv, { env: at.env, cwd: at.workspace })
      assert.equal(later.code, 0, later.stderr)
      assert.equal(later.stdout, 'a tool\n')
      assert.doesNotMatch(later.stderr, /building/)
      await expect(at.machine.run(['rm', 'hooks'], { cwd: at.workspace }))
    })
  })
}
