import { join } from 'node:path'
import { type NixTarball, nixRelease } from '../../../script/parts/paths.ts'
import type { Installed } from '../../../src/nix/install.ts'
import type { Job, Machine } from '../../harness/machine.ts'

export type DriverInput = {
  readonly mirror: string
  readonly version: string
  readonly system: string
  readonly sha256: string
  readonly nixConf?: string
  readonly toolCache?: boolean
  /** A folder that stands for the Actions cache. */
  readonly entry?: string
  /** Does post's part, too. */
  readonly keep?: boolean
  readonly token?: string
}

export type DriverResult = {
  readonly installed?: Installed
  /** Whether every path of Nix's closure is valid in the store. */
  readonly valid?: boolean
  readonly error?: string
  readonly advice?: string | undefined
  readonly warnings: readonly string[]
}

export const temp = '/tmp/runner/nix-image-action'

/** The release of a version, from the parts. */
export function tarball(version?: string): NixTarball {
  const releases = nixRelease().releases
  const found = version === undefined ? releases[0] : releases.find(release => release.version === version)
  if (found === undefined) throw new Error(`no Nix ${version} among the parts`)
  return found
}

type Extra = Partial<DriverInput> & { readonly env?: Readonly<Record<string, string>> }

/** Starts the driver in a machine, as a runner would start main. */
export function startInstall(machine: Machine, mirror: string, release: NixTarball, extra: Extra = {}): Job {
  const { env, ...more } = extra
  const { version, system, sha256 } = release
  const program = join(import.meta.dirname, 'nix-install.ts')
  return machine.start(
    [process.execPath, program, JSON.stringify({ mirror, version, system, sha256, ...more })],
    {
      env: { ...machine.env, RUNNER_TEMP: '/tmp/runner', RUNNER_TOOL_CACHE: '/tmp/tools', ...env },
    },
  )
}

/** Runs the driver to its end. Throws when it ended with anything but a result. */
export async function install(
  machine: Machine,
  mirror: string,
  release: NixTarball,
  extra: Extra = {},
): Promise<DriverResult> {
  return resultOf(startInstall(machine, mirror, release, extra))
}

export async function resultOf(job: Job): Promise<DriverResult> {
  const { code, stdout, stderr } = await job.done
  const result = /^RESULT (.*)$/m.exec(stdout)?.[1]
  if (code !== 0 || result === undefined)
    throw new Error(`the driver ended with ${code}:\n${stdout}${stderr}`)
  return JSON.parse(result)
}
