import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { explain } from '../../../src/reproduce/explain.ts'
import { silent } from '../../../src/util/log.ts'

const root = mkdtempSync(join(tmpdir(), 'explain-'))
after(() => rmSync(root, { recursive: true }))

function plant(name: string, files: Readonly<Record<string, string | Buffer>>): string {
  const folder = join(root, name)
  mkdirSync(folder)
  for (const [file, content] of Object.entries(files)) writeFileSync(join(folder, file), content)
  return folder
}

const packed = (text: string) => gzipSync(text.repeat(100))
const first = plant('app', { a: 'one', 'b.gz': packed('one') })
const second = plant('app.check', { a: 'two', 'b.gz': packed('two') })
const platform = { os: 'linux', architecture: 'amd64' }
const common = { name: 'app', env: {}, now: new Date(0), platform, pathInfo: async () => new Map() }

test('what was found is kept where the rest cannot be read, and that is said', async () => {
  const warnings: string[] = []
  const log = { ...silent, warning: (text: string) => warnings.push(text) }
  const scratch = join(root, 'not-there')
  const { differences, more } = await explain(first, second, { ...common, log, scratch })
  assert.deepEqual([differences.map(({ where }) => where), more], [['a'], false])
  assert.match(warnings.join('\n'), /^What differs in app was not found: ENOENT.*not-there/)

  const all = await explain(first, second, { ...common, log, scratch: root })
  assert.deepEqual(
    all.differences.map(({ where }) => where),
    ['a', 'b.gz'],
  )
  assert.equal(warnings.length, 1)
})

test('a job that is cancelled does not go on', async () => {
  const signal = AbortSignal.abort(new Error('the job is cancelled'))
  await assert.rejects(
    explain(first, second, { ...common, log: silent, scratch: root, signal }),
    /is cancelled/,
  )
})

test('only so many are looked for', async () => {
  const files = (count: number, text: string) =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`${at}`, text]))
  for (const [count, more] of [
    [20, false],
    [21, true],
  ] as const) {
    const [one, other] = [plant(`${count}`, files(count, 'a')), plant(`${count}.check`, files(count, 'b'))]
    const found = await explain(one, other, { ...common, log: silent, scratch: root })
    assert.deepEqual([found.differences.length, found.more], [20, more])
  }
})
