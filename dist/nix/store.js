import * as z from '../vendor/zod.js'
import { UserError } from '../util/errors.js'
import { runNix } from './cli.js'

import { compareVersions } from './releases.js'

const newCli = ['--extra-experimental-features', 'nix-command']

const infoSchema = z.object({ trusted: z.union([z.boolean(), z.literal([0, 1])]).optional() })

/**
 * Whether the store, or the daemon before it, takes settings such as binary caches from this user.
 * @throws UserError when there is no answer.
 */
export async function isTrusted(nix) {
  const failures = []
  // The older name is the only one up to Nix 2.18 and in Lix, whose version numbers are higher.
  for (const command of ['info', 'ping']) {
    const { code, stdout, stderr } = await runNix(nix, 'nix', [...newCli, 'store', command, '--json'])
    if (code === 0) return Boolean(infoSchema.parse(JSON.parse(stdout)).trusted)
    failures.push(stderr.trim())
  }
  const failure = failures.find(text => !/is not a recogni[sz]ed command/.test(text)) ?? failures[0]
  throw new UserError(`The Nix daemon of this machine does not answer: ${failure}`, {
    advice: 'Start nix-daemon before this step.',
  })
}

/** The machine's `sandbox` setting: `true`, `false` or `relaxed`. */
export async function sandboxSetting(nix) {
  return (await setting(nix, 'sandbox')) ?? 'true'
}

/** What a setting is by all the configuration files that Nix reads; undefined when Nix does not say. */
export async function setting(nix, name) {
  return (await settings(nix))(name)
}

/** As `setting`, for several of them. */
export async function settings(nix) {
  const command = compareVersions(nix.version, '2.20') >= 0 ? ['config', 'show'] : ['show-config']
  const { stdout } = await runNix(nix, 'nix', [...newCli, ...command])
  return name => new RegExp(`^${name} = (.+)$`, 'm').exec(stdout)?.[1]
}

/** A store's URL without its settings, which not every version of Nix shows, and without what may be a credential. */
export function plainStore(url) {
  return url
    .replace(/\?.*/s, '')
    .replace(/\/+$/, '')
    .replace(/^([^:/]+:\/\/)([^/@]*)@/, (_, scheme, user) =>
      scheme.startsWith('ssh') && !user.includes(':') ? `${scheme}${user}@` : scheme,
    )
}
