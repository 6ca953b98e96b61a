import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type CandidatesInput, findCandidates } from '../../../src/cache/candidates.ts'
import { bounds } from '../../../src/cache/index-file.ts'
import { emptyIndex } from '../../../src/cache/model.ts'
import type { PathInfo } from '../../../src/nix/model.ts'
import { base32, pathName, sampleIndex, samplePath } from './sample.ts'

const started = 1000

function path(name: string): string {
  return `/nix/store/${pathName(name)}`
}

function info(name: string, references: readonly string[] = [], more: Partial<PathInfo> = {}): PathInfo {
  return {
    path: path(name),
    narHash: `sha256:${base32(name)}`,
    narSize: 1,
    references: references.map(path),
    deriver: undefined,
    signatures: [],
    ca: undefined,
    registrationTime: started,
    ultimate: true,
    ...more,
  }
}

function find(infos: readonly PathInfo[], more: Partial<CandidatesInput> = {}): string[] {
  const { paths } = findCandidates({
    ...{
      valid: new Map(infos.map(one => [one.path, one])),
      index: emptyIndex,
      started,
      closure: [],
      exclude: [],
    },
    ...{ upstreamKeys: new Set(['cache.nixos.org-1']), upstream: false },
    ...more,
  })
  return paths.map(one => one.path.slice('/nix/store/'.length + 33))
}

const old = { registrationTime: started - 1 }
const signed = { signatures: ['cache.nixos.org-1:AAAA'] }

test('what the job made is taken, references first; what was there before is not', () => {
  assert.deepEqual(find([info('app', ['lib']), info('lib'), info('before', [], old)]), ['lib', 'app'])
  assert.deepEqual(find([info('b', ['a']), info('a', ['c']), info('c')]), ['c', 'a', 'b'])
})

test('what the index has is not taken again', () => {
  const index = sampleIndex([samplePath('lib')])
  assert.deepEqual(find([info('app', ['lib']), info('lib')], { index }), ['app'])
})

test('derivations and texts come out of evaluation', () => {
  const text = info('builder.sh', [], { ca: 'text:sha256:0abc' })
  assert.deepEqual(
    find([info('app.drv', ['builder.sh']), text, info('source', [], { ca: 'fixed:r:sha256:0' })]),
    ['source'],
  )
  assert.deepEqual(
    find([info('app', ['builder.sh']), text]),
    ['builder.sh', 'app'],
    'unless they are referred to',
  )
  assert.deepEqual(find([info('app', ['x.drv']), info('x.drv')]), [], 'and a derivation is kept for nothing')
})

test('what an older run left is taken if something new needs it', () => {
  assert.deepEqual(find([info('app', ['lib']), info('lib', ['base'], old), info('base', [], old)]), [
    'base',
    'lib',
    'app',
  ])
})

test('Nix itself is not taken, unless something new refers to it', () => {
  const closure = [path('nix'), path('glibc')]
  const infos = [info('nix', ['glibc']), info('glibc'), info('app')]
  assert.deepEqual(find(infos, { closure }), ['app'])
  assert.deepEqual(find([...infos, info('tool', ['glibc'])], { closure }).sort(), ['app', 'glibc', 'tool'])
})

test('the image is never taken, nor what refers to it', () => {
  const infos = [info('image'), info('wrapper', ['image']), info('app')]
  assert.deepEqual(find(infos, { exclude: [path('image')] }), ['app'])
})

test("the flake's source is only taken if something refers to it", () => {
  const source = info('source', [], { ca: 'fixed:r:sha256:0abc' })
  const exclude = [path('source')]
  assert.deepEqual(find([source, info('app')], { exclude }), ['app'])
  assert.deepEqual(find([source, info('app', ['source'])], { exclude }), ['source', 'app'])
})

test('what a public cache has is only taken when asked for', () => {
  const infos = [info('app', ['bash']), info('bash', ['glibc'], signed), info('glibc', [], signed)]
  assert.deepEqual(find(infos), ['app'])
  assert.deepEqual(find(infos, { upstream: true }), ['glibc', 'bash', 'app'])
  const other = info('bash', [], { signatures: ['somebody-1:AAAA'] })
  assert.deepEqual(find([other]), ['bash'])
  assert.deepEqual(find([other], { upstreamKeys: new Set(['somebody-1']) }), [])
})

test('it is noted what is left to a public cache', () => {
  const valid = new Map([info('app', ['bash']), info('bash', [], signed)].map(one => [one.path, one]))
  const { elsewhere } = findCandidates({
    ...{ valid, index: emptyIndex, started, closure: [], exclude: [], upstream: false },
    upstreamKeys: new Set(['cache.nixos.org-1']),
  })
  assert.deepEqual(elsewhere, new Set([pathName('bash')]))
})

test('a path may refer to itself', () => {
  assert.deepEqual(find([info('app', ['app', 'lib']), info('lib')]), ['lib', 'app'])
})

const kinds = fc.record({
  references: fc.array(fc.nat(30), { maxLength: 4 }),
  more: fc.constantFrom<Partial<PathInfo>>(
    {},
    old,
    signed,
    { ca: 'text:sha256:0' },
    { ca: 'fixed:sha256:0' },
  ),
  where: fc.constantFrom('store', 'index', 'nix', 'excluded'),
})

test('whatever the store holds, the candidates are closed, in order, and without what shall never be kept', () => {
  fc.assert(
    fc.property(fc.array(kinds, { maxLength: 15 }), fc.boolean(), (nodes, upstream) => {
      const names = nodes.map((_, at) => `p${at}`)
      const infos = nodes.map(({ references, more }, at) =>
        info(`p${at}`, [...new Set(references.map(number => names[number % (at + 1)] ?? ''))], more),
      )
      const those = (kind: string) => infos.filter((_, at) => nodes[at]?.where === kind).map(one => one.path)
      // An index is closed.
      const inIndex = new Set<string>()
      for (const one of infos) {
        if (those('index').includes(one.path) && one.references.every(name => inIndex.has(name)))
          inIndex.add(one.path)
      }
      const index = sampleIndex([...inIndex].map(one => samplePath(one.slice('/nix/store/'.length + 33))))
      const exclude = those('excluded')
      const { paths, elsewhere } = findCandidates({
        ...{
          valid: new Map(infos.map(one => [one.path, one])),
          index,
          started,
          closure: those('nix'),
          exclude,
        },
        ...{ upstream, upstreamKeys: new Set(['cache.nixos.org-1']) },
      })
      const before = new Set<string>(inIndex)
      for (const one of paths) {
        assert.ok(!inIndex.has(one.path))
        assert.ok(!exclude.includes(one.path) || one.ca !== undefined)
        for (const name of one.references) {
          assert.ok(name === one.path || before.has(name) || elsewhere.has(name.slice('/nix/store/'.length)))
        }
        before.add(one.path)
      }
    }),
    { numRuns: 1000 },
  )
})

test('a path that refers to more than an index can say is left out, with what refers to it', () => {
  const many = (number: number) => Array.from({ length: number }, () => 'lib')
  const all = info('all', many(bounds.references))
  const tooMany = info('too-many', many(bounds.references + 1))
  const found = find([info('lib'), all, tooMany, info('app', ['too-many']), info('other', ['all'])])
  assert.deepEqual(found, ['lib', 'all', 'other'])
})
