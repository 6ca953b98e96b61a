import assert from 'node:assert/strict'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import fc from 'fast-check'
import { readStamp } from '../../script/parts/paths.ts'
import type { PackageMeta } from '../../src/sbom/model.ts'
import { parseName } from '../../src/sbom/names.ts'
import { Machine } from '../harness/machine.ts'
import { expect, installByHand } from '../harness/nix-by-hand.ts'

const releases = readStamp()?.nix ?? []
const skip = Machine.unavailable() ?? (releases.length === 0 ? 'there is no Nix release' : false)
const plain = { description: undefined, homepage: undefined, licenses: [], isProgram: false }

let sample: string
before(async () => {
  sample = await mkdtemp(join(tmpdir(), 'nia-sbom-'))
  await cp(join(import.meta.dirname, 'sbom'), sample, { recursive: true })
})
after(() => rm(sample, { recursive: true }))

for (const release of releases)
  describe(`Nix ${release.version}`, { skip }, () => {
    let machine: Machine
    let env: Record<string, string>
    before(async () => {
      machine = await Machine.create({ nix: 'user', binds: [sample], user: 'root' })
      env = await installByHand(machine, release)
    })
    after(() => machine?.dispose())
    const nix = (...argv: string[]) =>
      expect(
        machine.run(['nix', '--extra-experimental-features', 'nix-command flakes', ...argv], {
          env,
          cwd: sample,
        }),
      )
    const { system } = release
    const evaluate = async (what: string, flake = sample) =>
      JSON.parse(await nix('eval', '--json', `path:${flake}#${what}`))
    const ask = async (paths: readonly string[], flake = `path:${sample}`) => {
      const options = {
        ...{ flake, system, scratch: '/tmp', paths: paths.map(path => ({ path })) },
        nix: { version: release.version, bin: join(release.storePath, 'bin'), system },
      }
      const argv = [process.execPath, join(import.meta.dirname, 'sbom/job.ts'), JSON.stringify(options)]
      return JSON.parse(await expect(machine.run(argv, { env }))) as {
        readonly found?: readonly (readonly [string, Partial<PackageMeta>])[]
        readonly error?: string
      }
    }

    test('what packages say of themselves is found by their store paths, and counts for no others', async () => {
      const others: Record<string, string> = await evaluate(`others.${system}`)
      const bin: string = await evaluate(`others.${system}.openssl.bin.outPath`)
      const out: string = await evaluate(`others.${system}.openssl.out.outPath`)
      const app: string = await evaluate(`packages.${system}.app.outPath`)
      const { openssl: _, ...rest } = others
      const { found, error } = await ask([app, bin, out, ...Object.values(rest)])
      assert.equal(error, undefined)
      const openssl = {
        description: 'TLS',
        homepage: 'https://www.openssl.org/',
        licenses: [{ spdxId: 'Apache-2.0', name: 'Apache License 2.0' }],
        cpe: 'cpe:2.3:a:openssl:openssl:3.0.14:*:*:*:*:*:*:*',
        isProgram: true,
      }
      assert.deepEqual(
        new Map(found),
        new Map<string, Partial<PackageMeta>>(
          JSON.parse(
            JSON.stringify([
              [app, { ...plain, description: 'Ours' }],
              [bin, openssl],
              [out, openssl],
              [others.requests, { ...plain, licenses: [{ name: 'Free as in speech' }] }],
              [
                others.zlib,
                {
                  ...plain,
                  licenses: [
                    { spdxId: 'Zlib', name: 'zlib License' },
                    { name: 'House rules' },
                    { name: 'a word' },
                  ],
                  purl: 'pkg:github/madler/zlib@v1.3.1',
                },
              ],
            ]),
          ),
        ),
      )
    })

    test('a package that would have to be built to be looked at is left alone where the image has none of that name', async () => {
      const flake = join(sample, 'with-built')
      const app: string = await evaluate(`packages.${system}.app.outPath`, flake)
      const { found } = await ask([app], `path:${flake}`)
      assert.deepEqual(found, [[app, { description: 'Ours', licenses: [], isProgram: false }]])
    })

    test('nothing is built, nothing is written, and what cannot be evaluated is an error', async () => {
      const before = await expect(machine.run(['ls', '/nix/store']))
      const { found } = await ask([`/nix/store/${'0'.repeat(32)}-app-1.0`])
      assert.deepEqual(found, [])
      assert.equal((await expect(machine.run(['sh', '-c', 'ls -d /tmp/meta-* || true']))).trim(), '')
      assert.equal(await expect(machine.run(['ls', '/nix/store'])), before)
      assert.match(
        (await ask([`/nix/store/${'0'.repeat(32)}-built-1`])).error ?? '',
        /built-1\.drv' is not valid/,
      )
      assert.match((await ask([], 'path:/nowhere')).error ?? '', /nowhere/)
    })

    test('names and versions are what Nix makes of them', async () => {
      const name = fc.string({ unit: fc.constantFrom('a', 'Z', '-', '1', '.', '_', '+'), minLength: 1 })
      const names = fc.sample(name, { numRuns: 500, seed: 7 })
      const expression = `map builtins.parseDrvName [ ${names.map(name => JSON.stringify(name)).join(' ')} ]`
      const theirs = JSON.parse(await nix('eval', '--json', '--expr', expression))
      assert.deepEqual(names.map(parseName), theirs)
    })
  })
