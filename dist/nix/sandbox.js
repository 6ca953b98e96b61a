import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf } from '../util/errors.js'
import { exec } from '../util/exec.js'
import { runNix } from './cli.js'

/**
 * Finds out whether builds can be sandboxed. Where Ubuntu's AppArmor keeps ordinary users from making user
 * namespaces, an AppArmor profile for this one program is loaded and the probe repeated. It is repeated, too, where the
 * kernel does not let Nix drop its supplementary groups.
 * docs/adr/0002 says why this way.
 */
export async function openSandbox(nix, options) {
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

function on(keepGroups) {
  return { on: true, keepGroups, warning: undefined }
}

function off(why) {
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
async function probe(nix, options, attempt) {
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

async function isRestricted(file) {
  return readFile(file, 'utf8').then(
    text => text.trim() === '1',
    () => false,
  )
}

/** An AppArmor profile that gives one program the right to make user namespaces, and takes nothing from it. */
export function renderProfile(program) {
  const name = `nix-image-action-${createHash('sha256').update(program).digest('hex').slice(0, 16)}`
  return `abi <abi/4.0>,\ninclude <tunables/global>\nprofile ${name} "${program}" flags=(unconfined) {\n  userns,\n}\n`
}

/** @returns undefined when it worked, else what went wrong */
async function loadProfile(program, asRoot, temp, env) {
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
