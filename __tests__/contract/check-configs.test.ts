import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { partsBin } from '../../script/parts/paths.ts'
import { fileRules } from '../../src/check/file-rules.ts'
import { debLayers, dockerArchive, inspectedArchive } from '../harness/docker-image.ts'
import { startDockerd } from '../harness/dockerd.ts'
import { type Files, membersOf } from '../harness/inspected.ts'
import { Machine } from '../harness/machine.ts'
import { writeTar } from '../harness/tar-writer.ts'

const skip = Machine.unavailable() ?? Machine.withoutContainers()
const store = '/nix/store/00000000000000000000000000000000-'
const machine = skip === false ? await Machine.create({ user: 'root' }) : undefined
const docker = machine && (await startDockerd(machine))
after(() => machine?.dispose())

type Case = {
  readonly layers: readonly Buffer[]
  readonly files: Files
  readonly config: object
  /** Each as `rule severity place`. */
  readonly findings: readonly string[]
  /** What the container says, started for real. */
  readonly says: RegExp
}

/** Inspects an image, then starts it. */
async function agree(t: TestContext, name: string, { layers, files, config, findings, says }: Case) {
  await t.test(name, async () => {
    const archive = dockerArchive(name, [...layers, writeTar(membersOf(files))], config)
    await using made = await inspectedArchive(archive)
    const found = fileRules.flatMap(rule => [...rule.inspect(made.subject)])
    assert.deepEqual(
      found.map(({ rule, severity, place }) => `${rule} ${severity} ${place}`),
      findings,
    )
    if (machine === undefined || docker === undefined) throw new Error('there is no machine')
    await machine.plant('/root/image.tar', archive)
    await docker('load', '--quiet', '--input', '/root/image.tar')
    assert.match(await output(machine, name, says), says)
  })
}

/** What a container says, until it has ended or has said it. */
async function output(machine: Machine, name: string, says: RegExp): Promise<string> {
  let said = ''
  const heard = Promise.withResolvers<void>()
  const listen = (chunk: string) => {
    said += chunk
    if (says.test(said)) heard.resolve()
  }
  const run = [join(partsBin, 'docker'), 'run', '--name', name, '--network=none', name]
  const job = machine.start(run, { as: 'root', onStdout: listen, onStderr: listen })
  await Promise.race([heard.promise, job.done])
  await docker?.('rm', '--force', name)
  await job.done
  return said
}

const python =
  skip === false
    ? debLayers(
        ['python3', 'supervisor', 'python3-pkg-resources'],
        /^(?:libc6|zlib1g|libexpat1|lib?python3|python3|supervisor)/,
      )
    : []
const base: Files = {
  '/usr/bin/python3': { link: 'python3.11' },
  [`${store}xorg-server-21.1/bin/Xvfb`]: '#!/bin/busybox sh\necho the screen is there\nexec sleep 1000\n',
}
const config = {
  Entrypoint: ['/usr/bin/supervisord', '-n', '-c', '/etc/supervisord.conf'],
  Env: ['PATH=/usr/bin:/bin'],
}

test('supervisord does what the findings say', { skip }, async t => {
  await agree(t, 'broken', {
    layers: python,
    files: {
      ...base,
      '/etc/supervisord.conf': '[supervisord]\n[program:xvfb]\ncommand=/usr/bin/Xvfb :99\nuser=app\n',
    },
    config,
    findings: [],
    says: /nothing/,
  })
})
