import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jobPaths } from '../../../src/cache/job-paths.ts'
import { hashOf } from '../../../src/cache/model.ts'
import type { PathInfo } from '../../../src/nix/model.ts'
import { pathName } from './sample.ts'

const path = (name: string) => `/nix/store/${pathName(name)}`
const info = (name: string, references: readonly string[] = []): [string, PathInfo] => [
  path(name),
  {
    ...{ path: path(name), narHash: 'sha256-x', narSize: 1, references: references.map(path) },
    ...{ deriver: undefined, signatures: [], ca: undefined, registrationTime: 0, ultimate: true },
  },
]
const derive = (outputs: readonly string[], inputs: readonly string[], sources: readonly string[]) =>
  `Derive([${outputs.map(name => `("out","${path(name)}","","")`)}],[${inputs.map(name => `("${path(name)}.drv",["out"])`)}],[${sources.map(name => `"${path(name)}"`)}],"","",[],[])`

test('a job has what it built, what that was built from, what it was served and what it was after', async () => {
  const valid = new Map([
    info('app', ['lib']),
    info('lib'),
    info('gcc', ['libc']),
    info('libc'),
    info('source'),
    info('served', ['its-library']),
    info('its-library'),
    info('image'),
    info('of-another-job', ['lib']),
    info('secret-of-another-job'),
  ])
  const texts = new Map([
    [`${path('app')}.drv`, derive(['app'], ['gcc'], ['source'])],
    [`${path('gcc')}.drv`, derive(['gcc'], ['secret-of-another-job'], [])],
  ])
  const found = await jobPaths({
    valid,
    outPaths: [path('image'), path('never-built')],
    built: [`${path('app')}.drv`, `${path('collected')}.drv`],
    served: [hashOf(pathName('served'))],
    readDerivation: async drvPath => texts.get(drvPath),
  })
  const expected = ['app', 'lib', 'gcc', 'libc', 'source', 'served', 'its-library', 'image']
  assert.deepEqual([...found].sort(), expected.map(path).sort())
})
