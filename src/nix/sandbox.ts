import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '../util/errors.ts'
import { exec } from '../util/exec.ts'
import { runNix } from './cli.ts'
import type { Nix } from './model.ts'

export type Sandbox = {
  /** Whether builds can run in Nix's sandbox here. Tried, not guessed. */
  readonly on: boolean
  /** Whether it works only where Nix keeps its supplementary groups: see `ConfOptions`. */
  readonly keepGroups: boolean
  /** Why not, and what to do about it. */
  readonly warning: string | undefined
}

export type SandboxOptions = {
  /** Real path of the `nix` program, which AppArmor knows programs by. */
  readonly program: string
  /** Gives the words that make a command run as root: `sudo -n`; undefined where there is no way. */
  asRoot(): Promise<readonly string[] | undefined>
  /** Whether Nix runs as root and has no build users, as our own does. */
  readonly withoutBuildUsers: boolean
  /** A folder that a file for the AppArmor parser can be written to. */
  readonly temp: string
  /** Names the probe's derivation, so that it is built and not found. */
  readonly salt: string
  /** @default `/proc/sys/kernel/apparmor_restrict_unprivileged_userns` */
  readonly restriction?: string
}

/**
 * Finds out whether builds can be sandboxed. Where Ubuntu's AppArmor keeps ordinary users from making user
 * namespaces, an AppArmor profile for this one program is loaded and the probe repeated. It is repeated, too, where the
 * kernel does not let Nix drop its supplementary groups.
 * docs/adr/0002 says why this way.
 */
export async function openSandbox(nix: Nix, options: SandboxOptions): Promise<Sandbox> {
  const first = await probe(nix, options, '1')
  if (first === undefined) return on(false)
  if (/setgroups|supplementary.groups/.test(first)) {
    const kept = await probe(nix, { ...options, keepGroups: true }, '2')
    return kept === undefined ? on(true) : off(kept)
  }
  const restriction = options.restriction ?? '/proc/sys/kernel/apparmor_restrict_unprivileged_userns'
  const asRoot = (await isRestricted(restriction)) ? await options.asRoot() : undefined
  if (asRoot === undefined) return off(first)
  const problem = await loadProfile(options.program, asRoot, options.temp, nix.env)
  if (problem !== undefined) return off(`${first}; an AppArmor profile could not be loaded: ${problem}`)
  const second = await probe(nix, options, '2')
  return second === undefined ? on(false) : off(second)
}

function on(keepGroups: boolean): Sandbox {
  return { on: true, keepGroups, warning: undefined }
}

function off(why: string): Sandbox {
  const reason = why.replace(/[.\s]+$/, '')
  const advice = isRefused.test(why)
    ? 'Allow unprivileged user namespaces, or in a container job add `--privileged` to its options; or set'
    : 'Set'
  return {
    on: false,
    keepGroups: false,
    warning:
      `Builds run without Nix's sandbox on this machine: ${reason}. They can see the machine's files and network. ` +
      `${advice} \`sandbox = false\` in nix-conf to accept it.`,
  }
}

/** What Nix says where the kernel, or who configured it, keeps it from making namespaces or mounts. */
const isRefused = /namespace|clon(e|ing)|mount|pivot_root|Operation not permitted|Permission denied/i

/**
 * Builds something that needs no shell and no other path, in the sandbox, without the fallback that would hide a
 * failure, and removes it again.
 * @returns undefined when it worked, else Nix's reason
 */
async function probe(
  nix: Nix,
  options: SandboxOptions & { readonly keepGroups?: boolean },
  attempt: string,
): Promise<string | undefined> {
  const expression = `derivation { name = "sandbox-probe"; system = "${nix.system}"; builder = "builtin:buildenv"; derivations = ""; manifest = "/"; salt = "${options.salt}-${attempt}"; }`
  const settings = {
    ...{ sandbox: 'true', 'sandbox-fallback': 'false', substitute: 'false', builders: '' },
    ...(options.withoutBuildUsers ? { 'build-users-group': '' } : {}),
    ...(options.keepGroups ? { 'require-drop-supplementary-groups': 'false' } : {}),
  }
  const { code, stdout, stderr } = await runNix(nix, 'nix-build', [
    '--no-out-link',
    ...Object.entries(settings).flatMap(([name, value]) => ['--option', name, value]),
    ...['--expr', expression],
  ])
  const derivation = /\/nix\/store\/[0-9a-z]{32}-sandbox-probe\.drv/.exec(stderr)?.[0]
  const made = [stdout.trim(), derivation].filter(path => path !== undefined && path !== '')
  if (made.length > 0) await runNix(nix, 'nix-store', ['--delete', ...made.map(String)])
  if (code === 0) return undefined
  const errors = [...stderr.matchAll(/^\s*error: *(.+)$/gm)].map(match => match[1]?.trim())
  return errors.at(-1) ?? `the probe ended with exit code ${code}`
}

async function isRestricted(file: string): Promise<boolean> {
  return readFile(file, 'utf8').then(
    text => text.trim() === '1',
    () => false,
  )
}

/** An AppArmor profile that gives one program the right to make user namespaces, and takes nothing from it. */
export function renderProfile(program: string): string {
  const name = `nix-image-action-${createHash('sha256').update(program).digest('hex').slice(0, 16)}`
  return `abi <abi/4.0>,\ninclude <tunables/global>\nprofile ${name} "${program}" flags=(unconfined) {\n  userns,\n}\n`
}

/** @returns undefined when it worked, else what went wrong */
async function loadProfile(
  program: string,
  asRoot: readonly string[],
  temp: string,
  env: Readonly<Record<string, string>>,
): Promise<string | undefined> {
  const file = join(temp, 'apparmor-profile')
  const [command = '', ...args] = [...asRoot, 'apparmor_parser', '--replace', file]
  try {
    await writeFile(file, renderProfile(program))
    const { code, stderr } = await exec(command, args, { env })
    return code === 0 ? undefined : stderr.trim().split('\n').at(-1)
  } catch (error) {
    return messageOf(error)
  }
}
