import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { startDockerd } from '../../../__tests__/harness/dockerd.ts'
import { Machine } from '../../../__tests__/harness/machine.ts'
import { expect } from '../../../__tests__/harness/nix-by-hand.ts'
import { partsBin } from '../../parts/paths.ts'
import type { Bench, Setting } from '../setting.ts'
import type { Sources } from './files.ts'
import type { Contender } from './results.ts'
import type { PushAnswer, PushStep } from './step.ts'
import { measureUse, type Use } from './use.ts'

export type Push = {
  readonly setting: Setting
  readonly bench: Bench
  readonly sources: Sources
  /** `127.0.0.1:PORT/org/app` */
  readonly name: string
  readonly tag: string
}

/** Pushes an image by a tool that remembers nothing, as on a fresh machine. */
export function push({ tool, from, compression }: Contender, work: Push): Promise<Use> {
  const { setting, bench, sources, name, tag } = work
  const to = `${name}:${tag}`
  switch (tool) {
    case 'ours': {
      const path = from === 'store' ? sources.conf : sources.archive
      const { version, storePath } = bench.release
      const step: PushStep = { nix: { version, bin: join(storePath, 'bin') }, path, name, tag, compression }
      return measureUse(bench.machine, async () => {
        await bench.step<PushAnswer>(setting.programs.push, step)
      })
    }
    case 'skopeo': {
      const how = [
        '--insecure-policy',
        '--dest-tls-verify=false',
        '--dest-compress-format',
        compression,
        '--dest-force-compress-format',
      ]
      return run(bench.machine, [
        'skopeo',
        'copy',
        '--quiet',
        ...how,
        `docker-archive:${sources.archive}`,
        `docker://${to}`,
      ])
    }
    case 'crane':
      return run(bench.machine, ['crane', 'push', sources.archive, to])
    case 'docker':
      return byDocker(work, to)
  }
}

/** Inspects an image. The time is that of the inspection alone, not that of a process's start. */
export async function inspect(
  { bench, setting }: Pick<Push, 'bench' | 'setting'>,
  path: string,
): Promise<Use> {
  const { version, storePath } = bench.release
  const nix = { version, bin: join(storePath, 'bin') }
  const step: PushStep = { nix, path, name: 'example.com/none', tag: '', compression: 'gzip', inspect: true }
  let seconds = 0
  const use = await measureUse(bench.machine, async () => {
    seconds = (await bench.step<PushAnswer>(setting.programs.push, step)).inspected
  })
  return { ...use, seconds }
}

async function run(machine: Machine, [program = '', ...args]: readonly string[]): Promise<Use> {
  const home = '/var/tmp/home'
  await expect(machine.run(['mkdir', home]))
  // Whatever its flags, root's skopeo keeps what it knows in /var/lib/containers, unless it takes itself for another user's.
  const env = { ...machine.env, HOME: home, TMPDIR: home, DOCKER_CONFIG: home, _CONTAINERS_ROOTLESS_UID: '1' }
  const use = await measureUse(machine, async () => {
    await expect(machine.run([join(partsBin, program), ...args], { env }))
  })
  await expect(machine.run(['rm', '-rf', home]))
  return use
}

/** In a machine of its own: what a daemon has is never as it was before. */
async function byDocker({ bench, sources: { archive } }: Push, to: string): Promise<Use> {
  await using machine = await Machine.create({ user: 'root' })
  await cp(bench.machine.path(archive), machine.path(archive))
  // Its layers cannot be laid over what is itself laid over something.
  await expect(machine.run(['mkdir', '-p', '/var/lib/docker']))
  await expect(machine.run(['mount', '-t', 'tmpfs', 'tmpfs', '/var/lib/docker']))
  const docker = await startDockerd(machine)
  return await measureUse(machine, async () => {
    await docker('load', '--quiet', '--input', archive)
    await docker('tag', 'app:latest', to)
    await docker('push', '--quiet', to)
  })
}
