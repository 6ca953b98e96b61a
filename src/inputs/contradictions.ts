import { ruleNames } from '../check/names.ts'
import { userNetrc } from '../nix/conf.ts'
import { entriesOf } from '../util/text.ts'
import type { InputName, Inputs, ReadInput } from './model.ts'

/**
 * What does not go together in inputs that are each well formed, or were left out for what is wrong with them.
 * @param read for what was asked for, where a default or a malformed value says something else
 * @param system of the runner
 * @returns which input, and what is wrong with it
 */
export function contradictions(inputs: Inputs, read: ReadInput, system: string): [InputName, string][] {
  const problems: [InputName, string][] = []
  const problem = (name: InputName, what: string) => problems.push([name, what])
  const { systems, platforms } = inputs

  if (systems.length === 0) {
    if (platforms.length < 2)
      problem(
        'systems',
        '`none` builds nothing: name in `platforms` what other jobs have pushed, two at least',
      )
    if (inputs.push === 'digest' || read('name') === '')
      problem('systems', '`none` only publishes: it needs a `name`, and a `push` that lets it')
    for (const name of ['warm', 'load', 'test', 'reproducible', 'sbom', 'copy-to'] as const)
      if (!['', 'false'].includes(read(name)))
        problem('systems', `\`none\` builds nothing, and ${name} needs that`)
  } else if (!systems.includes(system))
    for (const name of ['load', 'test'] as const)
      if (inputs[name])
        problem(name, `is for the system of this runner, ${system}, which \`systems\` does not name`)
  for (const name of inputs.checkIgnored)
    if (!ruleNames.includes(name))
      problem('check-ignore', `there is no rule '${name}': rules are ${ruleNames.join(', ')}`)
  if (read('sign-key') !== '' && !inputs.sign) problem('sign-key', 'signs nothing: set `sign: true` too')
  if (read('sign-password') !== '' && read('sign-key') === '')
    problem('sign-password', 'is that of sign-key, and there is none')
  if (read('image') === '' && inputs.test !== undefined)
    problem('test', 'needs an image, and `image` is empty')
  if (read('image') === '' && inputs.sbom && systems.length > 0)
    problem('sbom', 'needs an image, and `image` is empty')
  if (read('image') === '' && entriesOf(read('warm')).length === 0)
    problem('image', 'nothing to do: both image and warm are empty')
  for (const name of ['reproducible', 'provenance', 'sign'] as const)
    if (inputs[name] && read('image') === '') problem(name, 'is about the image, and image is empty')
  if (read('nix-sha256') !== '' && read('nix-version') === '')
    problem('nix-sha256', 'is the digest of a version: set nix-version too')
  if (inputs.image !== undefined && inputs.push !== 'false' && read('name') === '')
    problem('name', 'is empty: an image to push needs a name such as ghcr.io/owner/app')
  if (inputs.push !== 'false' && inputs.repository?.name.startsWith('docker.io/library/'))
    problem(
      'name',
      `'${read('name')}' has neither registry nor owner: write ghcr.io/owner/app, or owner/app for Docker Hub`,
    )
  if (inputs.substituters.length > 0 && inputs.trustedPublicKeys.length === 0)
    problem(
      'substituters',
      'need trusted-public-keys: Nix takes nothing from a cache whose key it does not trust',
    )
  if (inputs.logins.length > 0 && userNetrc(inputs.nixConf))
    problem('substituters', 'hold a login, and nix-conf names a netrc-file: put the login into that file')
  const twice = inputs.logins.filter(({ host, user, password }) =>
    inputs.logins.some(other => other.host === host && (other.user !== user || other.password !== password)),
  )
  if (twice.length > 0)
    problem('substituters', `hold two logins for ${twice[0]?.host}, and Nix can have one for a host`)
  if (inputs.sshKey !== undefined && read('builders') === '' && inputs.copyTo?.kind !== 'ssh')
    problem('ssh-key', 'is for builders, and for copy-to with an ssh-ng:// URL: there is neither')
  return problems
}
