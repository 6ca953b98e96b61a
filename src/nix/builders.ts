import { messageOf, UserError } from '../util/errors.ts'
import { parseDestination } from './destination.ts'

/** Another machine that builds, as a line of Nix's list of machines has it. */
export type Builder = {
  /** URL of its store; the port is said to ssh, since not every version of Nix can read it. */
  readonly store: string
  /** As ssh is given it. */
  readonly host: string
  readonly port: number | undefined
  /** Whether it is said which key the host must have. */
  readonly pinned: boolean
  /** Those after the URL: systems, key, jobs, speed, features, mandatory features, key of the host. */
  readonly fields: readonly string[]
}

const advice = 'Write a machine such as ssh-ng://user@host x86_64-linux,aarch64-linux.'
const keyField = 1
const hostKeyField = 6

/**
 * Reads a list of machines.
 * https://nix.dev/manual/nix/latest/advanced-topics/distributed-builds
 * @throws UserError that names each line that is not understood
 */
export function parseBuilders(text: string): readonly Builder[] {
  const problems: string[] = []
  const builders: Builder[] = []
  const lines = text.split(/[\n;]/).map(line => line.replace(/#.*/, '').trim())
  for (const [at, line] of lines.entries()) {
    try {
      if (line !== '') builders.push(parseBuilder(line))
    } catch (error) {
      const [advice] = error instanceof UserError && error.advice ? [` ${error.advice}`] : ['']
      // Its URL may hold a password.
      problems.push(`line ${at + 1}: ${messageOf(error)}${advice}`)
    }
  }
  for (const [host, those] of Map.groupBy(builders, ({ host }) => host.replace(/^.*@/, ''))) {
    if (new Set(those.map(({ port }) => port)).size > 1)
      problems.push(`${host} has two ports, and ssh can be told one.`)
  }
  if (problems.length > 0) throw new UserError(problems.join('\n'))
  return Object.freeze(builders)
}

function parseBuilder(line: string): Builder {
  const [url = '', ...fields] = line.split(/\s+/)
  if (/^\w+-linux$/.test(url) || (/^[\w+-]+:\/\//.test(url) && !/^ssh(-ng)?:/.test(url))) throw noMachine()
  const { kind, store, port, pinned } = parseDestination(/^[\w+-]+:\/\//.test(url) ? url : `ssh://${url}`)
  const [, host = ''] = /^\w[\w+-]*:\/\/([^/?#]+)/.exec(store) ?? []
  if (kind !== 'ssh' || !/^([\w.-]+@)?\w[\w.-]*$/.test(host) || host.startsWith('-')) throw noMachine()
  const [named = '-'] = fields
  const unknown = named.split(',').filter(name => name !== '-' && !/^\w+-\w+$/.test(name))
  if (unknown.length > 0)
    throw new UserError(`${unknown.join(', ')} is no system: after the URL come those that it builds for.`, {
      advice,
    })
  if (fields.length > hostKeyField + 1)
    throw new UserError('this has more fields than Nix reads.', { advice: 'A line is one machine.' })
  if (fields.slice(2, 4).some(field => !/^(-|\d+(\.\d+)?)$/.test(field)))
    throw new UserError('the fourth and fifth field are numbers: jobs at once, and speed.', { advice })
  const hasKey = (fields[hostKeyField] ?? '-') !== '-'
  return Object.freeze({ store, host, port, pinned: pinned || hasKey, fields: Object.freeze(fields) })
}

function noMachine(): UserError {
  return new UserError('this is no machine that is reached by ssh.', { advice })
}

/**
 * The list as Nix reads it.
 * @param keyFile of the private key for those that name none
 */
export function renderBuilders(builders: readonly Builder[], keyFile: string | undefined): string {
  return builders
    .map(({ store, fields }) => {
      const all = Array.from({ length: hostKeyField + 1 }, (_, at) => fields[at] ?? '-')
      if (keyFile !== undefined && all[keyField] === '-') all[keyField] = keyFile
      return `${[store, ...all].join(' ')}\n`
    })
    .join('')
}

/** How ssh is to reach them: see `sshOptions` for why. It takes the first of several values. */
export function renderSshConfig(builders: readonly Builder[], hasKey: boolean): string {
  const hosts = builders.flatMap(({ host, port, pinned }) => {
    const name = host.replace(/^.*@/, '')
    return [
      `Host ${name}`,
      ...(port === undefined ? [] : [`  Port ${port}`]),
      // Nix writes the key down for the name alone, and ssh would look for it with the port.
      ...(pinned ? [`  HostKeyAlias ${name}`, '  StrictHostKeyChecking yes'] : []),
    ]
  })
  const all = [
    'Host *',
    '  BatchMode yes',
    '  ConnectTimeout 15',
    '  ServerAliveInterval 15',
    '  StrictHostKeyChecking accept-new',
    ...(hasKey ? ['  IdentitiesOnly yes'] : []),
    '  Include ~/.ssh/config',
    '  Include /etc/ssh/ssh_config',
  ]
  return `${[...hosts, ...all].join('\n')}\n`
}
