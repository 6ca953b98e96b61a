import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { entries } from '../../src/cache/entries.ts'
import { nixEntry } from '../../src/cache/nix-entry.ts'
import { archivePath } from '../../src/nix/keep.ts'
import { silent } from '../../src/util/log.ts'
import { startCacheService } from '../harness/cache-service/service.ts'

const release = { version: '2.34.8', system: 'x86_64-linux', sha256: 'a'.repeat(64) }

test('a kept Nix that is damaged is followed by one that is not, and kept once by jobs side by side', async t => {
  const service = await startCacheService()
  const root = mkdtempSync(join(tmpdir(), 'nix-entry-'))
  t.after(async () => {
    await service.close()
    rmSync(root, { recursive: true })
  })
  /** The folder of a job, which its main and its post see. */
  const job = (name: string) => {
    const folder = join(root, name)
    const env = {
      ...{ PATH: process.env.PATH, HOME: root },
      ...service.env(service.token({ write: 'refs/heads/main' })),
    }
    const client = join(import.meta.dirname, '../../dist/cache-client.js')
    const file = archivePath(folder, release)
    const step = () => nixEntry(entries({ client, env, log: silent }), release, folder)
    return {
      open: () => step().restore(),
      keep: async (content: string) => {
        mkdirSync(dirname(file), { recursive: true })
        writeFileSync(file, content)
        await step().save(file)
      },
    }
  }
  const content = async (name: string) => readFileSync((await job(name).open()) ?? '/none', 'utf8')
  const keys = () => service.entries().map(({ key }) => key.slice(-2))

  const [first, beside] = [job('first'), job('beside')]
  assert.deepEqual([await first.open(), await beside.open()], [undefined, undefined])
  await first.keep('damaged')
  await beside.keep('another')
  assert.deepEqual(keys(), ['-1'])

  const [third, fourth] = [job('third'), job('fourth')]
  for (const one of [third, fourth])
    assert.equal(readFileSync((await one.open()) ?? '/none', 'utf8'), 'damaged')
  await third.keep('good')
  await fourth.keep('good too')
  assert.deepEqual(keys(), ['-1', '-2'])
  assert.equal(await content('last'), 'good')
})
