import { statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { isDiskFull, UserError } from '../util/errors.ts'
import { harmless } from '../util/harmless.ts'
import { formatBytes } from '../util/text.ts'
import type { Failure } from './failure.ts'
import { shortName } from './progress.ts'

/** The failure when a file system was full, whether Nix or a builder ran into it. */
export async function diskFull({ progress, workspace }: Failure): Promise<UserError | undefined> {
  const said = progress.errors.find(({ what }) => isDiskFull(what))
  const builder = [...progress.failed].find(drv => progress.tails.get(drv)?.some(line => isDiskFull(line)))
  if (said === undefined && builder === undefined) return undefined
  const line =
    said?.what.split('\n').find(text => isDiskFull(text)) ??
    progress.tails.get(builder ?? '')?.findLast(text => isDiskFull(text)) ??
    ''
  const during = builder === undefined ? '' : ` while building ${shortName(builder)}`
  return new UserError(`The disk is full${during}: ${harmless(line.trim())}`, {
    detail: `${await space(['/nix', tmpdir(), workspace])}`,
    advice:
      'Free space before this step (on a hosted runner: remove preinstalled toolchains that the job does not use), ' +
      'or take a runner with a larger disk.',
  })
}

/** One line for each file system. What Nix already removed after the failure counts as free. */
async function space(directories: readonly string[]): Promise<string> {
  const lines: string[] = []
  const seen = new Set<string>()
  for (const directory of directories) {
    const found = await statfs(directory).catch(() => undefined)
    if (found === undefined) continue
    const line = `${formatBytes(found.bavail * found.bsize)} free of ${formatBytes(found.blocks * found.bsize)}`
    const same = `${found.type} ${found.blocks} ${found.bavail}`
    if (!seen.has(same)) lines.push(`${directory}: now ${line}`)
    seen.add(same)
  }
  return lines.join('\n')
}

/** The failure when something could not be fetched: a flake or one of its inputs, the registry, a source. */
export function notFetched({ progress }: Failure): UserError | undefined {
  const error = progress.errors.at(-1)
  if (error === undefined) return undefined
  const input = /while fetching the input '([^']+)'/.exec(error.text)?.[1]
  const found = unableToDownload(error.what)
  if (input === undefined && found === undefined) return undefined
  const what = found?.message ?? harmless(error.what.split('\n')[0] ?? '')
  return new UserError(
    input === undefined ? what : `The flake ${harmless(input)} cannot be fetched: ${what}`,
    {
      advice:
        found?.advice ??
        'Check that it exists and that this job may read it. If it is a passing fault, run the job again.',
      ...(progress.lines.length > 0 ? { detail: harmless(progress.lines.join('\n')) } : {}),
    },
  )
}

/** What a text of Nix's says of a failed download, if it does. */
export function unableToDownload(text: string): { message: string; advice: string } | undefined {
  const found = /unable to download '([^']+)': ([^\n]*)/.exec(text)
  if (found === null) return undefined
  const [, url = '', reason = ''] = found
  return {
    message: harmless(`Could not download ${url}: ${reason}`),
    advice: /rate limit/i.test(text)
      ? 'The rate limit of the API is used up: give `github-token` a token, or try again later.'
      : /HTTP error 40[134]/.test(reason)
        ? 'Check that the address exists. If it is private, `github-token` must be a token that may read it.'
        : 'Check that the host can be reached from this runner. If it is a passing fault, run the job again.',
  }
}
