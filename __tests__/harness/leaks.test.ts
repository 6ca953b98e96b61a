import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import {
  findLeaks,
  placeOfArguments,
  placeOfFolder,
  placeOfMachine,
  placesOfStep,
  plantSecret,
} from './leaks.ts'
import { Machine } from './machine.ts'
import { pushToDefaultBranch } from './runner/events.ts'
import { Job } from './runner/job.ts'

const sample = join(import.meta.dirname, '../fixtures/sample-action')
const event = pushToDefaultBranch({ repository: 'octo-org/hello' })

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'leaks-test-'))
  t.after(() => rm(path, { recursive: true }))
  await chmod(path, 0o755)
  return path
}

test('a secret is found in whatever way a text holds it, and nothing else is', async () => {
  const secret = plantSecret('pw')
  const basic = (user: string) => Buffer.from(`${user}:${secret}`).toString('base64')
  const holding = [
    `token ${secret}`,
    basic('a'),
    basic('ab'),
    basic('abc'),
    Buffer.from(`x${secret}??>>`).toString('base64url'),
    `https://u:${encodeURIComponent(secret)}@host/`,
    JSON.stringify({ secret }),
    Buffer.from(secret).toString('hex'),
  ]
  for (const text of holding) {
    const leaks = await findLeaks({ password: secret }, [{ name: 'log', text }])
    assert.ok(leaks.length > 0, text)
    assert.deepEqual(new Set(leaks.map(leak => `${leak.secret} ${leak.where}`)), new Set(['password log']))
  }
  assert.deepEqual(
    await findLeaks({ password: secret }, [
      { name: 'log', text: [plantSecret('pw'), basic('').slice(0, 6)].join() },
    ]),
    [],
  )
})

test('files are searched whole, with their names, links, archives and rights', async t => {
  const root = await folder(t)
  const secret = plantSecret()
  const layer = join(root, 'layer')
  await mkdir(join(layer, 'etc'), { recursive: true })
  await mkdir(join(root, 'closed'))
  const content = `password=${secret}\n`
  await writeFile(join(layer, 'etc/deep.gz'), gzipSync(content))
  await promisify(execFile)('tar', ['-cf', join(root, 'layer.tar'), '-C', root, 'layer'])
  await rm(layer, { recursive: true })
  const { stdout: tar } = await promisify(execFile)('cat', [join(root, 'layer.tar')], { encoding: 'buffer' })
  await writeFile(join(root, 'blob'), zstdCompressSync(tar))
  await rm(join(root, 'layer.tar'))
  // The secret lies across the border of two reads.
  const half = Math.floor(secret.length / 2)
  await writeFile(join(root, 'long'), `${'x'.repeat(1024 * 1024 - half)}${secret}${'x'.repeat(1024 * 1024)}`)
  await writeFile(join(root, 'cut.gz'), gzipSync(`${content}${'y'.repeat(3_000_000)}`).subarray(0, -9))
  await writeFile(join(root, 'private'), content, { mode: 0o600 })
  await writeFile(join(root, 'closed/open'), content)
  await chmod(join(root, 'closed'), 0o700)
  await writeFile(join(root, `name-${Buffer.from(secret).toString('hex')}`), '')
  await symlink(`/nowhere/${encodeURIComponent(secret)}`, join(root, 'link'))
  await writeFile(join(root, 'innocent'), plantSecret())

  const leaks = await findLeaks({ password: secret }, [await placeOfFolder('storage', root)])
  const found = new Map(leaks.map(({ where, form, readableByOthers }) => [where, [form, readableByOthers]]))
  assert.deepEqual(Object.fromEntries([...found].toSorted(([a], [b]) => (a < b ? -1 : 1))), {
    [`name of storage: name-${Buffer.from(secret).toString('hex')}`]: ['hex', undefined],
    'storage: blob (zstd) » layer/etc/deep.gz (gzip)': ['plain', true],
    'storage: closed/open': ['plain', false],
    'storage: cut.gz (gzip)': ['plain', true],
    'storage: long': ['plain', true],
    'storage: private': ['plain', false],
    'target of storage: link': ['percent-encoded', undefined],
  })
})

test('what a job prints, says, executes and leaves behind is searched', async () => {
  await using machine = await Machine.create({ user: 'root' })
  const since = new Date()
  const secrets = {
    printed: plantSecret(),
    masked: plantSecret(),
    told: plantSecret(),
    executed: plantSecret(),
    left: plantSecret(),
  }
  const job = await Job.start({ machine, event, token: secrets.executed, trace: true })
  const step = await job.uses({
    action: sample,
    with: {
      print: `::add-mask::${secrets.masked}\n::add-mask::${secrets.printed}\n${secrets.printed}\n`,
      output: `text=${secrets.told}\n`,
      // A program of a program, gone in a moment.
      run: JSON.stringify([
        'sh',
        '-c',
        `sh -c 'true "$1"' sh '${secrets.executed}' && rm "$RUNNER_TEMP/main.json"`,
      ]),
      leave: '98767',
    },
  })
  assert.equal(step.code, 0)
  await machine.run(['sh', '-c', 'umask 022; gzip >/var/lib/left.gz'], { stdin: secrets.left })
  const end = await job.end()
  await machine.run(['sh', '-c', 'rm "$HOME/work/_temp/post.json"'])
  assert.deepEqual(end.orphans, [['sleep', '98767']])

  const leaks = await findLeaks(secrets, [
    ...placesOfStep('main', step),
    placeOfArguments(end),
    await placeOfMachine(machine, since),
  ])
  const plain = leaks.filter(({ form }) => form === 'plain')
  assert.deepEqual(
    plain.map(({ secret, where }) => `${secret}: ${where.replace(/(\d_)?[0-9a-f-]{36}$/, '…')}`).toSorted(),
    [
      'executed: arguments',
      'left: machine: var/lib/left.gz (gzip)',
      'printed: log of main',
      'told: machine: root/work/_temp/_runner_file_commands/set_output_…',
      'told: outputs of main',
    ],
  )
})
