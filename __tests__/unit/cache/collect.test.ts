import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type CollectInput, toCollect } from '../../../src/cache/collect.ts'
import { savedSeconds } from '../../../src/cache/value.ts'
import type { PathInfo } from '../../../src/nix/model.ts'
import { now, pathName, sampleIndex, samplePath } from './sample.ts'

const path = (at: number) => `/nix/store/${pathName(`path${at}`)}`

type Node = {
  readonly references: readonly number[]
  readonly root: boolean
  readonly used: boolean
  readonly size: number
  readonly age: number
  readonly cost: number
}

const nodes = fc.array(
  fc.record<Node>({
    references: fc.array(fc.nat(30), { maxLength: 3 }),
    root: fc.boolean(),
    used: fc.boolean(),
    size: fc.integer({ min: 1, max: 1000 }),
    age: fc.nat(1_000_000),
    cost: fc.nat(500),
  }),
  { minLength: 1, maxLength: 20 },
)

function storeOf(all: readonly Node[], limit: number): CollectInput {
  const before = (at: number) => [...new Set((all[at]?.references ?? []).map(other => other % (at + 1)))]
  const valid = new Map<string, PathInfo>(
    all.map(({ size, age }, at) => [
      path(at),
      {
        ...{ path: path(at), narHash: `sha256-${'A'.repeat(43)}=`, narSize: size * 3, ultimate: true },
        ...{ references: before(at).map(path), deriver: `${path(at)}.drv`, signatures: [], ca: undefined },
        registrationTime: now - age,
      },
    ]),
  )
  const reach = (roots: readonly number[]) => {
    const reached = new Set<number>()
    const visit = (at: number) => {
      if (reached.has(at)) return
      reached.add(at)
      for (const other of before(at)) visit(other)
    }
    for (const at of roots) visit(at)
    return reached
  }
  const numbers = all.map((_, at) => at)
  const alive = reach(numbers.filter(at => all[at]?.root))
  return {
    ...{ valid, limit, now, worth: savedSeconds, index: sampleIndex([]) },
    dead: new Set(numbers.filter(at => !alive.has(at)).map(path)),
    used: new Set([...reach(numbers.filter(at => all[at]?.used))].map(path)),
    costs: Object.fromEntries(all.map(({ cost }, at) => [`${path(at)}.drv`, cost])),
  }
}

test('a store is brought within its bound, or to what roots hold; only dead paths go, referrers first', () => {
  fc.assert(
    fc.property(nodes, fc.nat(20_000), (all, limit) => {
      const input = storeOf(all, limit)
      const collected = toCollect(input)
      const gone = new Set(collected)
      assert.equal(gone.size, collected.length)
      const left = [...input.valid.values()].filter(info => !gone.has(info.path))
      const total = left.reduce((sum, { narSize }) => sum + narSize / 3, 0)
      assert.ok(total <= limit || gone.size === input.dead.size)
      for (const one of collected) assert.ok(input.dead.has(one))
      for (const { references } of left) for (const other of references) assert.ok(!gone.has(other))
      const seen = new Set<string>()
      for (const one of collected) {
        seen.add(one)
        for (const info of input.valid.values())
          if (info.references.includes(one)) assert.ok(seen.has(info.path), 'a referrer goes first')
      }
      if (collected.some(one => input.used.has(one))) {
        for (const one of input.dead) assert.ok(gone.has(one) || input.used.has(one), 'used ones go last')
      }
      // No more than was asked for.
      const last = input.valid.get(collected.at(-1) ?? '')
      if (last !== undefined) assert.ok(total + last.narSize / 3 > limit)
    }),
  )
})

test('what is quicker to get back goes first, by what the index knows and by what this job saw', () => {
  const [cheap, dear, known] = ['cheap', 'dear', 'known'].map(name => `/nix/store/${pathName(name)}`)
  const info = (one: string): [string, PathInfo] => [
    one,
    {
      ...{ path: one, narHash: `sha256-${'A'.repeat(43)}=`, narSize: 3000, ultimate: true, references: [] },
      ...{ deriver: `${one}.drv`, signatures: [], ca: undefined, registrationTime: now - 100 },
    },
  ]
  const paths = [dear, known, cheap].map(one => one ?? '')
  const input = {
    valid: new Map(paths.map(info)),
    dead: new Set(paths),
    index: sampleIndex([samplePath('known', { cost: 300, fileSize: 1000, narSize: 3000 })]),
    ...{ used: new Set<string>(), now, worth: savedSeconds },
    costs: { [`${cheap}.drv`]: 1, [`${dear}.drv`]: 100 },
  }
  assert.deepEqual(toCollect({ ...input, limit: 2000 }), [cheap])
  assert.deepEqual(toCollect({ ...input, limit: 1000 }), [cheap, dear])
  assert.deepEqual(toCollect({ ...input, limit: 3000 }), [])
})
