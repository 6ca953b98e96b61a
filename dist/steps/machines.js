import { rm } from 'node:fs/promises'
import { join } from 'node:path'

import { renderBuilders, renderSshConfig } from '../nix/builders.js'
import { builderKeyName, writeSecret } from '../nix/conf.js'
import { emulated } from '../nix/emulation.js'

import { UserError } from '../util/errors.js'

/**
 * Runs `work` with a Nix that may build on other machines, and for systems that this one emulates. The key to those
 * machines is there only as long: later steps of the job do not get it.
 */
export async function withMachines(job, nix, work) {
  const { inputs, places, runner } = job
  const { builders, sshKey } = inputs
  const foreign = await emulated(inputs.systems.filter(system => system !== nix.system))
  if (foreign.length > 0) runner.info(`This runner emulates ${foreign.join(', ')}.`)
  const platforms = foreign.length === 0 ? [] : [`extra-extra-platforms = ${foreign.join(' ')}`]
  if (builders.length === 0) return await work(withSettings(nix, platforms))

  const { folder } = places
  if (/\s/.test(folder)) {
    throw new UserError(
      `Nix cannot use the list of \`builders\` in ${folder}: there is white space in that path.`,
      {
        advice: 'Set up the runner in a folder without a space in its name.',
      },
    )
  }
  const list = join(folder, 'machines')
  const config = join(folder, 'ssh-config')
  const key = join(folder, builderKeyName)
  const remove = () => Promise.all([list, config, key].map(file => rm(file, { force: true })))
  try {
    await remove()
    await writeSecret(list, renderBuilders(builders, sshKey === undefined ? undefined : key))
    await writeSecret(config, renderSshConfig(builders, sshKey !== undefined))
    if (sshKey !== undefined) await writeSecret(key, sshKey)
    const own = nix.env.NIX_SSHOPTS
    const env = { ...nix.env, NIX_SSHOPTS: `-F ${config}${own ? ` ${own}` : ''}` }
    const settings = [...platforms, `builders = @${list}`, 'builders-use-substitutes = true']
    return await work(withSettings({ ...nix, env }, settings))
  } finally {
    await remove()
  }
}

/** By the environment, so that every program of Nix has them; the user's own settings there come last. */
function withSettings(nix, settings) {
  if (settings.length === 0) return nix
  const own = nix.env.NIX_CONFIG
  const NIX_CONFIG = [...settings, ...(own ? [own] : [])].join('\n')
  return { ...nix, env: { ...nix.env, NIX_CONFIG } }
}
