import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { estimatedOf } from '../../../src/cache/members.ts'
import { hashOf, type Unfit } from '../../../src/cache/model.ts'
import { rememberUnfit, type Selection, selectPaths } from '../../../src/cache/policy/select.ts'
import type { PathInfo } from '../../../src/nix/model.ts'
import { base32, now, packHash, pathName, sampleIndex, samplePath } from './sample.ts'

const MB = 1_000_000

function info(name: string, narSize: number, references: readonly string[] = []): PathInfo {
  return {
    ...{ path: `/nix/store/${pathName(name)}`, narHash: `sha256:${base32(name)}`, narSize },
    references: references.map(other => `/nix/store/${pathName(other)}`),
    ...{ deriver: `/nix/store/${pathName(`${name}.drv`)}`, signatures: [], ca: undefined },
    ...{ registrationTime: now, ultimate: true },
  }
}

type Asked = {
  limit: number
  tooLarge?: Map<string, Unfit>
  usedSize?: number
  costs?: Record<string, number>
}

function select(
  infos: readonly PathInfo[],
  { limit, tooLarge = new Map(), usedSize = 0, costs = {} }: Asked,
): Selection {
  const used = samplePath('used', { fileSize: usedSize, cost: 1e6, pack: packHash('u') })
  const index = sampleIndex(usedSize > 0 ? [used] : [], { tooLarge })
  const byDrv = Object.fromEntries(
    Object.entries(costs).map(([name, cost]) => [`/nix/store/${pathName(`${name}.drv`)}`, cost]),
  )
  const candidates = estimatedOf(infos, tooLarge, { costs: byDrv, upstreamKeys: new Set(), now })
  return selectPaths(infos, { index, candidates, used: new Set(index.paths.keys()), now, limit })
}

function names(infos: readonly PathInfo[]): string[] {
  return infos.map(({ path }) => path.slice(44))
}

test('each path is compressed after what it refers to, or has no place', () => {
  const stores = fc.array(
    fc.record({ size: fc.integer({ min: 1, max: 300 }), references: fc.array(fc.nat(20)) }),
    { maxLength: 15 },
  )
  fc.assert(
    fc.property(stores, fc.nat(1000), fc.nat(500), fc.array(fc.nat(15)), (nodes, limit, usedSize, known) => {
      const infos = nodes.map(({ size, references }, at) => {
        return info(`p${at}`, size * MB, [
          ...new Set(references.filter(other => other < at).map(other => `p${other}`)),
        ])
      })
      const tooLarge = new Map(
        known.map(at => [hashOf(pathName(`p${at}`)), { size: at * 20 * MB, lastUse: 1 }]),
      )
      const { paths, unfit, budget } = select(infos, { limit: limit * MB, usedSize: usedSize * MB, tooLarge })
      assert.deepEqual(new Set([...paths, ...unfit]), new Set(infos))
      assert.equal(paths.length + unfit.length, infos.length)
      assert.ok(budget <= limit * MB)
      const before = new Set<string>()
      for (const { path, references } of paths) {
        assert.ok(references.every(reference => before.has(reference)))
        before.add(path)
      }
    }),
    { numRuns: 300 },
  )
})

test('what saves most by the byte is compressed first', () => {
  const infos = [info('cheap', 100 * MB), info('dear', 100 * MB), info('tiny', MB)]
  const { paths } = select(infos, { limit: 1000 * MB, costs: { cheap: 5, dear: 500, tiny: 50 } })
  assert.deepEqual(names(paths), ['tiny', 'dear', 'cheap'])
})

test('what cannot fit is not compressed, nor what refers to it', () => {
  const infos = [
    info('huge', 2100 * MB),
    info('on-huge', 1, ['huge']),
    info('large', 1900 * MB),
    info('small', MB),
  ]
  const { paths, unfit, budget } = select(infos, { limit: 100 * MB })
  assert.deepEqual([names(paths), names(unfit), budget], [['small', 'large'], ['huge', 'on-huge'], 100 * MB])
})

test('what was seen not to fit is not compressed again, until there is room for it', () => {
  const infos = [info('large', 100 * MB)]
  const tooLarge = new Map([[hashOf(pathName('large')), { size: 80 * MB, lastUse: 1 }]])
  assert.deepEqual(names(select(infos, { limit: 79 * MB, tooLarge }).unfit), ['large'])
  assert.deepEqual(names(select(infos, { limit: 79 * MB }).paths), ['large'])
  assert.deepEqual(names(select(infos, { limit: 81 * MB, tooLarge }).paths), ['large'])
})

test('what this run used and is worth more leaves the rest of the limit', () => {
  const { paths, unfit, budget } = select([info('new', 100 * MB)], { limit: 100 * MB, usedSize: 99 * MB })
  assert.ok(budget < MB && budget > 0)
  assert.deepEqual([names(paths), names(unfit)], [[], ['new']])
})

test('sizes of what did not fit are remembered, of the large ones, so many, and forgotten when it does', () => {
  const candidate = (name: string, size: number) => ({ path: samplePath(name), size })
  const hash = (name: string) => hashOf(pathName(name))
  const nothing = { added: [], leftOut: [], unfit: [], now }
  const first = rememberUnfit(new Map(), {
    ...nothing,
    leftOut: [candidate('big', 9 * MB), candidate('small', 1000)],
  })
  assert.deepEqual([...first.tooLarge], [[hash('big'), { size: 9 * MB, lastUse: now }]])
  assert.ok(first.learned)
  const again = rememberUnfit(first.tooLarge, {
    ...nothing,
    unfit: [hash('big'), hash('other')],
    now: now + 5,
  })
  assert.deepEqual([...again.tooLarge.values()], [{ size: 9 * MB, lastUse: now + 5 }])
  assert.ok(!again.learned)
  const added = rememberUnfit(first.tooLarge, { ...nothing, added: [candidate('big', 9 * MB)] })
  assert.equal(added.tooLarge.size, 0)
  const many = Array.from({ length: 1500 }, (_, at) => candidate(`p${at}`, 2 * MB))
  const most = rememberUnfit(first.tooLarge, { ...nothing, leftOut: many, now: now + 1 })
  assert.equal(most.tooLarge.size, 1000)
  assert.ok(!most.tooLarge.has(hash('big')))
})
