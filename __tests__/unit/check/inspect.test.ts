import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspectImage } from '../../../src/check/inspect.ts'
import type { Image } from '../../../src/image/model.ts'
import type { Job } from '../../../src/job.ts'
import type { Nix } from '../../../src/nix/model.ts'
import type { Report } from '../../../src/report.ts'
import { check } from '../../../src/steps/check.ts'
import { UserError } from '../../../src/util/errors.ts'
import { silent } from '../../../src/util/log.ts'
import { paxRecord, type TarInput } from '../../harness/tar-writer.ts'
import { type LayerInput, layersOf } from '../rootfs/image.ts'

type Opened = Disposable & { readonly image: Image; readonly folder: string }

function imageOf(layers: readonly LayerInput[], config: object = {}, architecture = 'amd64'): Opened {
  const made = layersOf(layers)
  const image: Image = {
    kind: 'docker-archive',
    config: () => Buffer.from(JSON.stringify({ config })),
    platform: { os: 'linux', architecture },
    layers: made.layers,
    close: async () => {},
  }
  return { image, folder: made.folder, [Symbol.dispose]: () => made[Symbol.dispose]() }
}

// Nix is asked about references alone, for a rule that is turned off.
const nix = {} as Nix

/** Runs the step, and gives all that it told. */
async function told(
  images: readonly Opened[],
  mode: 'error' | 'warn' = 'error',
  signal = new AbortController().signal,
) {
  const report: Report = { phases: [] }
  const [lines, warnings]: [string[], string[]] = [[], []]
  const runner = {
    ...silent,
    info: (line: string) => lines.push(line),
    warning: (line: string) => warnings.push(line),
  }
  const inputs = { check: mode, checkIgnored: ['toolchain', 'tmp'] }
  const places = { scratch: images[0]?.folder }
  const job = { inputs, places, report, runner, signal } as unknown as Job
  const ended = check(
    job,
    nix,
    images.map(({ image }) => image),
  )
  const error: unknown = await ended.then(
    () => undefined,
    error => error,
  )
  return { error, lines, warnings, report }
}

const sparse: readonly TarInput[] = [
  { name: 'x', flag: 'x', data: paxRecord('GNU.sparse.major', '1') },
  { name: 'disk.img', data: 'x' },
]
const missing = { Entrypoint: ['/no'] }

test('what is too much to inspect is told, and published', async () => {
  using limited = imageOf([sparse])
  using long = imageOf([[{ name: `${'a/'.repeat(2500)}b` }]])
  for (const mode of ['error', 'warn'] as const) {
    const { error, warnings, report } = await told([limited, long], mode)
    assert.equal(error, undefined)
    assert.equal(warnings.length, 2)
    assert.match(warnings[0] ?? '', /^The image for linux\/amd64 was not inspected: .*sparse/)
    assert.deepEqual(report.check?.uninspected, ['linux/amd64', 'linux/amd64'])
  }
})

test('what was found before one that is damaged is in the report', async () => {
  using broken = imageOf([[]], missing, 'arm64')
  using damaged = imageOf([Buffer.from('no tar'.repeat(200))])
  const { error, report } = await told([broken, damaged], 'warn')
  assert.ok(error instanceof UserError)
  assert.deepEqual(
    report.check?.findings.map(({ rule, platform }) => [rule, platform]),
    [['entrypoint', 'linux/arm64']],
  )
  assert.deepEqual(report.check?.uninspected, ['linux/amd64'])
})

test('who cancels ends an inspection that cannot be done', async () => {
  using limited = imageOf([sparse])
  const { error, warnings } = await told([limited], 'warn', AbortSignal.abort())
  assert.equal((error as Error).name, 'AbortError')
  assert.deepEqual(warnings, [])
})

test('what an image makes up is shown and not obeyed, and only so much of it', async () => {
  using image = imageOf([[]], { Entrypoint: [`/\n::error::no##[x]${'x'.repeat(5000)}`] })
  const { error } = await told([image])
  assert.ok(error instanceof UserError)
  assert.match(error.message, /no `\/\\u000a::error::no#\u200b#\[x\]/)
  assert.ok(error.message.length < 1200, String(error.message.length))
  assert.ok((error.advice?.length ?? 0) < 1200)
})

test('of very many findings the first are told', async () => {
  const key = `-----BEGIN PRIVATE ${'KEY'}-----\n`
  using image = imageOf([Array.from({ length: 230 }, (_, i) => ({ name: `srv/${i}/a.key`, data: key }))])
  const { error, lines, warnings, report } = await told([image])
  assert.equal(error, undefined)
  assert.equal(report.check?.findings.length, 230)
  assert.deepEqual([lines.length, lines.at(-1)], [201, '30 more findings.'])
  assert.deepEqual(
    [warnings.length, warnings.at(-1)],
    [21, '210 more findings of the inspection: see the log'],
  )
})

test('Nix is asked for a hint alone, and need not answer', async () => {
  using image = imageOf([[{ name: `nix/store/${'0'.repeat(32)}-a`, data: '' }]], missing)
  const asked: string[] = []
  const pathInfo = async (paths: readonly string[]): Promise<never> => {
    asked.push(...paths)
    throw new UserError('no database')
  }
  const rules = async (ignored: readonly string[]) =>
    (await inspectImage(image.image, { ignored, scratch: image.folder, pathInfo })).map(({ rule }) => rule)
  assert.deepEqual(await rules(['tmp', 'toolchain']), ['entrypoint'])
  assert.deepEqual(asked, [])
  assert.deepEqual(await rules(['tmp']), ['entrypoint'])
  assert.equal(asked.length, 1)
})
