import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { promisify } from 'node:util'
import { bundle, differences, writeBundle } from '../../script/bundle/bundle.ts'

const repository = join(import.meta.dirname, '../..')
let root: string

beforeEach(async () => {
  root = await project()
})
afterEach(() => rm(root, { recursive: true }))

/** A small project with an ESM package, a CommonJS package that it uses, and one without a licence. */
async function project(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bundle-'))
  const files = {
    'src/main.ts': `import { double } from './math/double.ts'
import * as lib from 'lib'
import table from './math/table.json' with { type: 'json' }
import type { Shape } from './shape.ts'

/** What a type says. */
export type Size = { a: number }

// Said about the code.
const shape: Shape & Size = { a: 20, b: 'x' }
console.log(double(shape.a) + table.one + lib.two, (await import('./lazy.ts')).default)
`,
    'src/math/table.json': '{ "one": 1 }\n',
    'src/math/double.ts': `import { two } from 'lib'
/** Twice the number. */
export const double = (n: number): number => n * two
`,
    'src/lazy.ts': `export default 'later' as string\n`,
    'src/shape.ts': `export type Shape = { b: string }\n`,
    'src/other.ts': `import * as lib from 'lib'\nconsole.log(Object.keys(lib).length)\n`,
    'src/bare.ts': `import bare from 'bare'\nconsole.log(bare)\n`,
    'src/never.ts': `export const unused = 1\n`,
    'node_modules/lib/package.json': '{"name":"lib","version":"1.2.3","type":"module","license":"MIT"}',
    'node_modules/lib/LICENSE': 'Do as you like.',
    'node_modules/lib/index.js': `import os from 'old'
export const two = os.two
export const dropped = 'DROPPED'
`,
    'node_modules/old/package.json': '{"name":"old","version":"0.1.0","license":"ISC"}',
    'node_modules/old/LICENSE.md': 'Old terms.',
    'node_modules/old/index.js': `const { EOL } = require('node:os')\nexports.two = EOL.length + 1\n`,
    'node_modules/bare/package.json': '{"name":"bare","version":"9.0.0","license":"MIT"}',
    'node_modules/bare/index.js': `module.exports = 1\n`,
  }
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
  await cp(join(repository, 'biome.json'), join(folder, 'biome.json'))
  for (const path of ['node_modules/.bin', 'node_modules/rolldown'])
    await symlink(join(repository, path), join(folder, path))
  return folder
}

test('our code keeps its words and loses its types; only what is reached and used is there', async () => {
  const files = await bundle(root, ['main.ts'])
  assert.deepEqual([...files.keys()].toSorted(), [
    'LICENSES.txt',
    'lazy.js',
    'main.js',
    'math/double.js',
    'math/table.json',
    'vendor/lib.js',
    'vendor/packages/lib.js',
    'vendor/packages/old.js',
    'vendor/packages/rolldown-runtime.js',
  ])
  assert.equal(
    files.get('main.js'),
    `import { double } from './math/double.js'
import * as lib from './vendor/lib.js'
import table from './math/table.json' with { type: 'json' }

// Said about the code.
const shape = { a: 20, b: 'x' }
console.log(double(shape.a) + table.one + lib.two, (await import('./lazy.js')).default)
`,
  )
  assert.equal(
    files.get('math/double.js'),
    `import { two } from '../vendor/lib.js'
/** Twice the number. */
export const double = n => n * two
`,
  )
  assert.doesNotMatch([...files.values()].join(), /DROPPED/)
})

test('a namespace that is used as a value keeps everything', async () => {
  const files = await bundle(root, ['other.ts'])
  assert.match(files.get('vendor/packages/lib.js') ?? '', /DROPPED/)
})

test('it runs where no node_modules is, also with CommonJS packages in it', async () => {
  const elsewhere = join(root, 'elsewhere')
  await writeBundle(elsewhere, await bundle(root, ['main.ts']))
  await writeFile(join(elsewhere, 'package.json'), '{"type":"module"}')
  await rm(join(root, 'node_modules'), { recursive: true })
  const { stdout } = await promisify(execFile)(process.execPath, [join(elsewhere, 'main.js')])
  assert.equal(stdout, '43 later\n')
})

test('it is the same in every folder and names none', async () => {
  const other = await project()
  try {
    const files = await bundle(root, ['main.ts', 'other.ts'])
    assert.deepEqual([...(await bundle(other, ['main.ts', 'other.ts']))], [...files])
    for (const text of files.values()) assert.ok(!text.includes(root) && !text.includes(tmpdir()))
  } finally {
    await rm(other, { recursive: true })
  }
})

test('licences of what is bundled are collected, and a package without one is refused', async () => {
  const licences = (await bundle(root, ['main.ts'])).get('LICENSES.txt') ?? ''
  assert.match(licences, /lib 1\.2\.3 \(MIT\)\n\nDo as you like\.\n/)
  assert.match(licences, /old 0\.1\.0 \(ISC\)\n\nOld terms\.\n/)
  assert.match(licences, /^rolldown [\d.]+ \(MIT\)$/m)
  await assert.rejects(bundle(root, ['bare.ts']), /no licence text in bare 9\.0\.0/)
})

test('changed, missing and superfluous files are differences', async () => {
  const files = await bundle(root, ['main.ts'])
  const dist = join(root, 'dist')
  await writeBundle(dist, files)
  assert.deepEqual(await differences(dist, files), [])
  await writeFile(join(dist, 'main.js'), 'changed')
  await writeFile(join(dist, 'vendor/more.js'), '')
  await rm(join(dist, 'LICENSES.txt'))
  assert.deepEqual(await differences(dist, files), ['LICENSES.txt', 'main.js', 'vendor/more.js'])
})
