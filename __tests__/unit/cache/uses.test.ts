import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseIndex } from '../../../src/cache/index-file.ts'
import { renderIndex } from '../../../src/cache/index-writing.ts'
import { membersOf } from '../../../src/cache/members.ts'
import { hashOf } from '../../../src/cache/model.ts'
import { usesOf, withoutReplaced } from '../../../src/cache/uses.ts'
import type { PathInfo } from '../../../src/nix/model.ts'
import { base32, now, packHash, pathName, sampleIndex, samplePath } from './sample.ts'

const started = 1000

function path(name: string): string {
  return `/nix/store/${pathName(name)}`
}

function info(name: string, references: readonly string[] = [], more: Partial<PathInfo> = {}): PathInfo {
  return {
    ...{
      path: path(name),
      narHash: `sha256:${base32(`nar ${name}`)}`,
      narSize: 1,
      references: references.map(path),
    },
    ...{ deriver: undefined, signatures: [], ca: undefined, registrationTime: started, ultimate: true },
    ...more,
  }
}

function storeOf(...infos: readonly PathInfo[]): Map<string, PathInfo> {
  return new Map(infos.map(one => [one.path, one]))
}

function hashes(...names: readonly string[]): Set<string> {
  return new Set(names.map(name => hashOf(pathName(name))))
}

const old = { registrationTime: started - 1 }

test('what came since the job began was used, and what its outputs refer to; of what was there before nobody knows', () => {
  const index = sampleIndex(['new', 'out', 'lib', 'before', 'absent'].map(name => samplePath(name)))
  const valid = storeOf(
    info('new'),
    info('out', ['lib', 'other'], old),
    info('lib', [], old),
    info('other', [], old),
    info('before', [], old),
  )
  assert.deepEqual(usesOf(index, valid, { started, outPaths: [path('out')] }), {
    used: hashes('new', 'out', 'lib'),
    unknown: hashes('before'),
  })
})

test('a path that this job made anew is not the one that the cache has', () => {
  const index = sampleIndex(['same', 'other', 'refused', 'served', 'before'].map(name => samplePath(name)))
  const other = { narHash: `sha256:${base32('x')}` }
  const valid = storeOf(
    info('same'),
    info('other', [], other),
    info('refused'),
    info('served', [], { ultimate: false }),
    info('before', [], { ...old, ...other }),
    info('unknown', [], other),
  )
  const served = { served: [...hashes('refused', 'served')] }
  const { paths } = withoutReplaced(index, valid, { started, served })
  assert.deepEqual(new Set(paths.keys()), hashes('same', 'served', 'before'))
  assert.equal(withoutReplaced(index, storeOf(info('same')), { started, served: undefined }), index)
})

test('what is saved of a path can be read again', () => {
  const infos = [
    info('lib', [], { narHash: 'sha256-4nafznVzuDYuHY/+TB2JKCFgu8QtMM7tYmi2UOvp8K4=' }),
    info('app', ['app', 'lib'], { deriver: `${path('app')}.drv`, signatures: ['cache.example-1:AAAA='] }),
    info('source', [], { ca: 'fixed:r:sha256:1bphx7mm1dk8cbnwwc1dqjxn0898i4flrzlg3lp3df3kfp79yxp2' }),
    info('upstream', [], { signatures: ['cache.nixos.org-1:AAAA='] }),
    info('without-nar'),
  ]
  const nar = (name: string) => ({ fileHash: base32(name), fileSize: 3, file: '/x' })
  const nars = new Map(infos.slice(0, 4).map(one => [one.path, nar(one.path)]))
  const costs = { [`${path('app')}.drv`]: 1.26 }
  const members = membersOf(infos, nars, { costs, upstreamKeys: new Set(['cache.nixos.org-1']), now })
  const paths = members.map(member => ({ ...member.path, pack: packHash('p') }))
  const { index, problem } = parseIndex(renderIndex(sampleIndex(paths)))
  assert.equal(problem, undefined)
  assert.deepEqual(new Set(index?.paths.values()), new Set(paths))
  assert.deepEqual(
    paths.map(({ origin, cost }) => [origin, cost]),
    [
      ['built', undefined],
      ['built', 1.3],
      ['source', undefined],
      ['upstream', undefined],
    ],
  )
})
