import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { nixRelease } from '../../script/parts/paths.ts'
import { parsePathInfo } from '../../src/nix/cli.ts'
import { evidenceOf, parseKeys } from '../../src/nix/evidence.ts'
import type { PathInfo } from '../../src/nix/model.ts'
import { signingKey } from '../harness/binary-cache.ts'
import { Machine } from '../harness/machine.ts'
import { expect, installByHand } from '../harness/nix-by-hand.ts'

const unavailable = Machine.unavailable()
const mine = signingKey('mine-1')
const other = signingKey('mine-1')
const measure = {
  namesResultsByContent: false,
  keys: parseKeys(`cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY= ${mine.public}`),
}

/** Store paths of every kind, as real Nix makes, names and signs them. */
const expressions = {
  text: 'builtins.toFile "text" "plain"',
  'text that refers to another': 'builtins.toFile "refers" (builtins.toFile "other" "x" + " is the other")',
  tree: 'builtins.path { path = /tmp/tree; name = "tree"; }',
  'one file': 'builtins.path { path = /tmp/tree/file; name = "file"; recursive = false; }',
  'a fixed file by another hash': fixed('outputHashMode = "flat"; outputHash = "FILE";'),
  'a fixed tree by another hash': fixed('outputHashMode = "recursive"; outputHash = "NAR";'),
} as const
const built = made('("echo " + builtins.toFile "needed" "x" + " $out >$out")', '')

function made(script: string, more: string): string {
  const common = 'name = "made"; system = builtins.currentSystem; builder = "/bin/sh";'
  return `derivation { ${common} args = [ "-c" ${script} ]; ${more} }`
}

function fixed(hash: string): string {
  return made('"echo tree >$out"', `${hash}`)
}

for (const release of unavailable ? [] : nixRelease().releases)
  suite(`store paths of Nix ${release.version}`, { skip: unavailable }, () => {
    let machine: Machine
    let env: Record<string, string>
    before(async () => {
      machine = await Machine.create({ user: 'root', nix: 'user' })
      env = { ...(await installByHand(machine, release)) }
      env.NIX_CONFIG += '\nsandbox = false\n'
      await expect(machine.run(['sh', '-c', 'mkdir /tmp/tree && echo tree >/tmp/tree/file']))
    })
    after(() => machine.dispose())

    const nix = (...args: string[]) => expect(machine.run(['nix', '--offline', ...args], { env }))
    const make = async (expression: string) =>
      (await nix('build', '--impure', '--no-link', '--print-out-paths', '--expr', expression)).trim()
    const look = async (path: string): Promise<PathInfo> => {
      const format = release.version.startsWith('2.34') ? ['--json-format', '1'] : []
      const info = parsePathInfo(await nix('path-info', '--json', ...format, path)).get(path)
      assert.ok(info)
      return info
    }

    for (const [name, template] of Object.entries(expressions))
      test(`${name}: its name is that of its content, and of no other`, async () => {
        const hash = (what: string) => nix('hash', what, '--type', 'sha512', '/tmp/tree/file')
        const [file, nar] = await Promise.all([hash('file'), hash('path')])
        const expression = template.replace('FILE', file.trim()).replace('NAR', nar.trim())
        const path = expression.startsWith('derivation')
          ? await make(expression)
          : (await nix('eval', '--impure', '--raw', '--expr', expression)).trim()
        const info = await look(path)
        assert.notEqual(info.ca, undefined)
        assert.deepEqual(await evidenceOf(info, measure), { by: 'content' })
        const loose = { ...measure, namesResultsByContent: true }
        assert.deepEqual(await evidenceOf(info, loose), { by: 'nothing' })
        const renamed = { ...info, path: `${path}-2` }
        assert.deepEqual(await evidenceOf(renamed, measure), { by: 'nothing' })
        const ca = info.ca?.replace(/.$/, last => (last === '0' ? '1' : '0'))
        assert.deepEqual(await evidenceOf({ ...info, ca }, measure), { by: 'nothing' })
        const more = { ...info, references: [...info.references, '/nix/store/another'] }
        assert.deepEqual(await evidenceOf(more, measure), { by: 'nothing' })
      })

    test('what was built is what a key says that it is, and the key is the right one', async () => {
      const path = await make(built)
      const unsigned = await look(path)
      assert.deepEqual(unsigned.references.length, 2)
      assert.deepEqual(await evidenceOf(unsigned, measure), { by: 'nothing' })
      const sign = async (secret: string) => {
        await expect(machine.run(['sh', '-c', 'cat >/tmp/key'], { stdin: secret }))
        await nix('store', 'sign', '--key-file', '/tmp/key', path)
      }
      await sign(other.secret)
      const wrong = await look(path)
      assert.equal(wrong.signatures.length, 1)
      assert.deepEqual(await evidenceOf(wrong, measure), { by: 'nothing' })
      await sign(mine.secret)
      const signed = await look(path)
      assert.equal(signed.signatures.length, 2)
      assert.deepEqual(await evidenceOf(signed, measure), { by: 'signature', key: 'mine-1' })
      for (const change of [
        { narSize: signed.narSize + 1 },
        { narHash: 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' },
        { references: [] },
        { path: path.replace('made', 'fade') },
      ])
        assert.deepEqual(await evidenceOf({ ...signed, ...change }, measure), { by: 'nothing' })
      assert.deepEqual(await evidenceOf(signed, { ...measure, keys: parseKeys('') }), { by: 'nothing' })
    })
  })

test('what is no key is left out', () => {
  assert.deepEqual([...parseKeys(` ${mine.public}\nshort:AAAA nothing :${mine.public} `).keys()], ['mine-1'])
})

test('of two keys with one name the first is taken, as Nix does', () => {
  const first = (text: string) => parseKeys(text).get('mine-1')?.export({ format: 'jwk' }).x
  assert.equal(first(`${mine.public} ${other.public}`), first(mine.public))
  assert.notEqual(first(other.public), first(mine.public))
})
