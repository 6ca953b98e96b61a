import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { UserError } from '../util/errors.js'
import { harmless } from '../util/harmless.js'

import { count } from '../util/text.js'
import { runNix } from './cli.js'
import { sshKeyName, writeSecret } from './conf.js'

/**
 * Sends store paths and all that they refer to to another store, which gets what it lacks. Signatures are not asked
 * for where the destination trusts us, as with `nix-copy-closure`; where it does not, it asks for them whatever we say.
 * @param options.folder that nobody else can read: a key is in there while Nix runs
 * @param options.cloud variables with which Nix reaches S3
 * @returns the store paths that were sent
 * @throws UserError when the store cannot be reached or refuses
 */
export async function copyPaths(options) {
  const { nix, destination, paths, folder, sshKey, log } = options
  const { url, store, kind } = destination
  // Without a path on stdin Nix would take the flake in the current directory.
  if (paths.length === 0) return []
  const ssh = kind === 'ssh' ? { NIX_SSHOPTS: sshOptions(destination, sshKey, nix.env.NIX_SSHOPTS) } : {}
  const cloud = kind === 's3' ? options.cloud : {}
  const sent = new Set()
  const said = []
  const file = join(folder, sshKeyName)
  try {
    if (kind === 'ssh' && sshKey !== undefined) {
      await rm(file, { force: true })
      await writeSecret(file, sshKey)
    }
    const { code } = await log.group(`Copy to ${url}`, () =>
      runNix(
        { ...nix, env: { ...nix.env, ...cloud, ...ssh } },
        'nix',
        [
          ...['--extra-experimental-features', 'nix-command', 'copy', '--to', store],
          // At this level Nix says each path that it copies.
          ...['--no-check-sigs', '--stdin', '--verbose'],
        ],
        {
          // The key is named relative to it.
          cwd: folder,
          input: Buffer.from(`${paths.join('\n')}\n`),
          onStderrLine(text) {
            const line = stripVTControlCharacters(text)
            const path = /^copying path '([^']+)'/.exec(line)?.[1]
            if (path !== undefined) sent.add(path)
            else said.push(line)
            log.info(harmless(line))
          },
        },
      ),
    )
    nix.signal?.throwIfAborted()
    if (code !== 0) throw failure(destination, said)
  } finally {
    await rm(file, { force: true })
  }
  log.info(`${count(sent.size, 'path')} sent to ${url}`)
  return [...sent]
}

/**
 * How ssh is to behave, for NIX_SSHOPTS: Nix splits it at white space, in older versions without regard to quotes, so
 * there is none in the options. ssh takes the first of several values, so the user's own come last. Pure.
 */
export function sshOptions({ pinned, port }, sshKey, own) {
  return [
    ...(sshKey === undefined ? [] : ['-i', sshKeyName, '-o', 'IdentitiesOnly=yes']),
    ...(port === undefined ? [] : ['-p', String(port)]),
    // Nobody is there to answer a question, and a host that falls silent would hold up the job for hours.
    ...['-o', 'BatchMode=yes', '-o', 'ConnectTimeout=15', '-o', 'ServerAliveInterval=15'],
    // With a key in the URL Nix names a file of known hosts with that key alone. Otherwise an unknown host is taken, as
    // nobody could say yes to it, and one whose key is another than before is not.
    ...['-o', `StrictHostKeyChecking=${pinned ? 'yes' : 'accept-new'}`],
    ...(own ? [own] : []),
  ].join(' ')
}

const reasons = [
  [
    /Permission denied \(|Load key .*: (?:invalid format|error in libcrypto)|no such identity/,
    'ssh-key must be the private half of a key that the user in the URL has in authorized_keys, without a passphrase.',
  ],
  [
    /Host key verification failed|HOST IDENTIFICATION HAS CHANGED|No \S+ host key is known/,
    'The host has another key than the one that is known. If that is right, change base64-ssh-public-host-key in the URL, or known_hosts.',
  ],
  [
    /nix-daemon: (?:command )?not found|nix-store: (?:command )?not found|cannot connect to '[^']*': .*exec/,
    'Nix must be installed there and found by ssh; otherwise add ?remote-program=/path/of/nix-daemon to the URL.',
  ],
  [
    /lacks a (?:valid )?signature|not signed by any of the keys|not privileged|you are not allowed/,
    'The destination does not trust this user: add the user to trusted-users there, or sign with secret-key-files in nix-conf and add the public key to trusted-public-keys there.',
  ],
  [
    /AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|HTTP error 40[13]|AWS|credential/,
    'Check the credentials: for S3 AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN) in the env of this step.',
  ],
  [
    /Connection refused|timed out|Could not resolve|No route to host|Network is unreachable|[Cc]ould not connect/,
    'Check the host and the port in copy-to, and that this runner can reach them.',
  ],
  [
    /don't know how to open Nix store|unknown (?:store|scheme)/,
    'This version of Nix was made without such stores: take another nix-version.',
  ],
  [/No space left on device/, 'One of the two disks is full.'],
  [/Permission denied|Read-only file system/, 'Check that the user of this job may write there.'],
]

function failure({ url }, said) {
  const text = said.join('\n')
  const advice = reasons.find(([pattern]) => pattern.test(text))?.[1]
  return new UserError(`What was built could not be copied to ${url}. Nothing was pushed.`, {
    detail: harmless(said.slice(-20).join('\n')),
    advice: advice ?? 'Nix says above why; `nix copy --to` with this URL shows the same on your machine.',
  })
}
