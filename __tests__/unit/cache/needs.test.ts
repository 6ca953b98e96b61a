import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { hashOf } from '../../../src/cache/model.ts'
import { neededPaths } from '../../../src/cache/needs.ts'
import type { Derivation } from '../../../src/nix/derivation.ts'
import { sampleIndex, samplePath } from './sample.ts'

/** A derivation of each name, with one output; each is made from some of those before it and refers to some of those. */
const graphs = fc
  .array(
    fc.record({
      inputs: fc.array(fc.nat(20), { maxLength: 3 }),
      refers: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
      cached: fc.boolean(),
      there: fc.boolean(),
    }),
    { minLength: 1, maxLength: 15 },
  )
  .map(nodes =>
    nodes.map(({ inputs, refers, ...node }, at) => {
      const before = at === 0 ? [] : [...new Set(inputs.map(input => input % at))]
      return { ...node, inputs: before, references: before.filter((_, number) => refers[number]) }
    }),
  )

const nameOf = (at: number) => samplePath(`node${at}`).name
const out = (at: number) => `/nix/store/${nameOf(at)}`

test('what is needed is what Nix would take: no more, no less', async () => {
  await fc.assert(
    fc.asyncProperty(graphs, async nodes => {
      const index = sampleIndex(
        nodes.flatMap(({ cached, references }, at) =>
          cached ? [samplePath(`node${at}`, { references: references.map(nameOf) })] : [],
        ),
      )
      const there = new Set(nodes.flatMap(({ there }, at) => (there ? [out(at)] : [])))
      const read: string[] = []
      const derivation = async (drvPath: string): Promise<Derivation> => {
        read.push(drvPath)
        const at = Number(drvPath)
        const inputs = nodes[at]?.inputs.map(input => ({ drvPath: String(input), outputs: ['out'] })) ?? []
        return { outputs: new Map([['out', out(at)]]), inputs, sources: [] }
      }
      const last = nodes.length - 1
      const wanted = [{ drvPath: String(last), outputs: ['out'] }]
      const found = await neededPaths({ wanted, index, isThere: path => there.has(path), derivation })

      // As Nix goes about it, path by path.
      const taken = new Set<string>()
      const take = (at: number) => {
        if (there.has(out(at)) || taken.has(hashOf(nameOf(at))) || nodes[at]?.cached !== true) return
        taken.add(hashOf(nameOf(at)))
        for (const reference of nodes[at]?.references ?? []) take(reference)
      }
      const have = (at: number) => {
        if (there.has(out(at))) return
        if (nodes[at]?.cached) take(at)
        else for (const input of nodes[at]?.inputs ?? []) have(input)
      }
      have(last)
      assert.deepEqual(new Set(found.map(({ name }) => hashOf(name))), taken)
      assert.equal(found.length, taken.size)
    }),
  )
})

test('only what is built, and what that is made from, is read', async () => {
  const app = samplePath('app')
  const index = sampleIndex([samplePath('lib')])
  const read: string[] = []
  const graph: Record<string, [string, string[]]> = {
    image: ['/nix/store/image', ['app.drv']],
    'app.drv': [`/nix/store/${app.name}`, ['lib.drv']],
    'lib.drv': [`/nix/store/${samplePath('lib').name}`, ['gcc.drv']],
  }
  const found = await neededPaths({
    wanted: [{ drvPath: 'image', outputs: ['out'] }],
    index,
    isThere: () => false,
    async derivation(drvPath) {
      read.push(drvPath)
      const [path = '', inputs = []] = graph[drvPath] ?? []
      return {
        outputs: new Map([['out', path]]),
        inputs: inputs.map(input => ({ drvPath: input, outputs: ['out'] })),
        sources: [],
      }
    },
  })
  assert.deepEqual(
    found.map(({ name }) => name),
    [samplePath('lib').name],
  )
  assert.deepEqual(read, ['image', 'app.drv', 'lib.drv'])
})

test('of a derivation that cannot be read, or whose path is not known yet, nothing is known', async () => {
  const index = sampleIndex([samplePath('lib')])
  const common = { index, isThere: () => false, wanted: [{ drvPath: 'x', outputs: ['out'] }] }
  assert.deepEqual(await neededPaths({ ...common, derivation: async () => undefined }), [])
  const floating = { outputs: new Map([['out', '']]), inputs: [], sources: [] }
  assert.deepEqual(await neededPaths({ ...common, derivation: async () => floating }), [])
})
