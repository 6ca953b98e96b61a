import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { nixRelease } from '../../script/parts/paths.ts'
import { rules } from '../../src/check/rules.ts'
import { debLayers, dockerArchive, inspectedArchive } from '../harness/docker-image.ts'
import { type FlakeTemplate, materialise } from '../harness/flake.ts'
import { Machine } from '../harness/machine.ts'
import { expect, installByHand } from '../harness/nix-by-hand.ts'

const skip = Machine.unavailable() ?? false

async function findingsIn(archive: Buffer): Promise<string[]> {
  await using made = await inspectedArchive(archive)
  const findings = rules.flatMap(rule => [...rule.inspect(made.subject)])
  return findings.map(({ rule, severity, place }) => `${rule} ${severity} ${place}`)
}

/** What Nix builds of a sample, read from its store. */
async function build(template: FlakeTemplate, attribute: string): Promise<Buffer> {
  const [release] = nixRelease().releases
  if (release === undefined) throw new Error('there is no Nix')
  const folder = await mkdtemp(join(tmpdir(), 'flake-'))
  try {
    const flake = join(folder, 'flake')
    await materialise({ template, dir: flake })
    await using machine = await Machine.create({ user: 'root', binds: [folder] })
    const env = await installByHand(machine, release)
    const argv = ['nix', 'build', '--no-link', '--print-out-paths', `path:${flake}#${attribute}`]
    const out = await expect(machine.run(argv, { env }))
    return await readFile(machine.path(out.trim()))
  } finally {
    await rm(folder, { recursive: true })
  }
}

// It works without; who adds a program that does not shall know.
const noTmp = 'tmp hint /tmp'

test('images that work raise no alarm', { skip }, async () => {
  assert.deepEqual(await findingsIn(await build('busybox', 'image')), [noTmp])
  assert.deepEqual(await findingsIn(await build('redis', 'archive')), [])
})

test('a system of packages raises none but for what is missing', { skip }, async () => {
  const layers = debLayers(['redis-server', 'redis-tools', 'python3', 'busybox-static', 'zstd', 'patchelf'])
  const env = ['PATH=/usr/bin:/bin']
  const of = (config: object) => findingsIn(dockerArchive('system', layers, { Env: env, ...config }))
  assert.deepEqual(await of({}), ['tmp warning /tmp'])
  for (const program of ['redis-server', 'redis-cli', 'zstd', 'patchelf', '/usr/bin/python3.11', 'busybox'])
    assert.deepEqual(await of({ Cmd: [program] }), ['tmp warning /tmp'], program)
})
