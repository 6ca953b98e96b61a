import { UserError } from '../util/errors.ts'
import { refuseBrokenLogin } from './netrc.ts'

/** A Nix store that paths are copied to, by its URL. */
export type Destination = {
  /** As the user wrote it, to be shown; there is no secret in it. */
  readonly url: string
  /** For Nix. Without the port of a host that is reached by ssh: not every version can read it. */
  readonly store: string
  readonly port: number | undefined
  readonly kind: 'ssh' | 's3' | 'file' | 'http'
  /** For `ssh`: whether the URL says which key the host must have. */
  readonly pinned: boolean
}

const kinds: Readonly<Record<string, Destination['kind']>> = {
  'ssh-ng': 'ssh',
  ssh: 'ssh',
  s3: 's3',
  file: 'file',
  http: 'http',
  https: 'http',
}

const secretName = /pass|token|credential|access-key|secret(?!-keys?$)/i

/**
 * Parses a store's URL.
 * https://nix.dev/manual/nix/latest/store/types/
 * @throws UserError for another kind of store, and for a URL with a secret in it. The secret is not in its words.
 */
export function parseDestination(text: string): Destination {
  const [, scheme = '', userinfo] = /^([a-z0-9-]+):\/\/(?:([^/?#]*)@)?/.exec(text) ?? []
  const kind = kinds[scheme]
  if (kind === undefined) {
    throw new UserError(
      /^[\w+-]+:\/\//.test(text)
        ? `${scheme || 'this'} is no store to copy to.`
        : 'this is not the URL of a store.',
      { advice: 'Write s3://bucket?region=…, ssh-ng://user@host or file:///directory.' },
    )
  }
  if (userinfo === undefined) refuseBrokenLogin(text)
  else if (userinfo.includes(':') || (kind === 'http' && userinfo !== ''))
    throw new UserError(
      'the URL holds a password, which Nix would be given as an argument that others can see.',
      {
        advice:
          kind === 'ssh'
            ? 'Set ssh-key instead.'
            : 'Put it into a netrc file, and write netrc-file = /its/path in nix-conf.',
      },
    )
  if (/[\s\p{Cc}]/u.test(text))
    throw new UserError('the URL has white space in it: only one store can be given.')
  const query = new URLSearchParams(text.slice(text.indexOf('?') + 1 || text.length))
  for (const [name, value] of query) {
    const isFile = value.split(',').every(file => file.startsWith('/'))
    if (secretName.test(name) || (/^(secret-keys?|ssh-key)$/.test(name) && !isFile))
      throw new UserError(
        `${name} in the URL holds a secret, which Nix would be given as an argument that others can see.`,
        {
          advice: /^secret-key/.test(name)
            ? 'Give the path of a file with the key: ?secret-key=/path.'
            : 'S3 takes AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY from the environment, ssh the input ssh-key.',
        },
      )
  }
  const [, before = text, port, after = ''] =
    (kind === 'ssh' && /^([^/]*\/\/[^/?#]*?[^:/?#]):(\d+)(?=[/?#]|$)(.*)$/s.exec(text)) || []
  return Object.freeze({
    ...{ url: text, kind, store: `${before}${after}` },
    port: port === undefined ? undefined : Number(port),
    pinned: query.has('base64-ssh-public-host-key'),
  })
}

/**
 * Checks that a text can be a private key, and gives it as ssh reads it.
 * @throws UserError without any part of the key in it
 */
export function parseSshKey(text: string): string {
  const key = `${text.replaceAll('\r', '').trim()}\n`
  if (/^-----BEGIN ([A-Z0-9 ]*PRIVATE KEY)-----\n[\s\S]+\n-----END \1-----\n$/.test(key)) return key
  throw new UserError('this is not a private key as ssh-keygen writes it.', {
    advice: 'Give the whole file with its first and last line and its line breaks, without a passphrase.',
  })
}
