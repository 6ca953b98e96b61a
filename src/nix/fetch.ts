import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isDiskFull, messageOf, UserError } from '../util/errors.ts'
import { sha256OfFile } from './archive.ts'
import { type Release, releaseName, releaseUrl } from './releases.ts'

/**
 * Downloads a release's tarball, and gives it away only when it has the digest that the release must have.
 * Transient failures are tried three times in all; a transfer that stands still for three minutes is one.
 * @param folder is emptied and then holds the tarball alone
 * @returns the path of the tarball
 * @throws UserError when the mirror does not have it, cannot be reached, or serves something else.
 */
export async function fetchRelease(release: Release, mirror: string, folder: string): Promise<string> {
  const url = releaseUrl(mirror, release)
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  // Only here: most runs do without this library.
  const { downloadTool } = await import('@actions/tool-cache')
  try {
    const file = await downloadTool(url, join(folder, `${releaseName(release)}.tar.xz`))
    const actual = await sha256OfFile(file)
    if (actual !== release.sha256) {
      throw new UserError(
        `${url} does not have the digest that it must have\nexpected: ${release.sha256}\ngot:      ${actual}`,
        { advice: 'Nothing was installed. Check nix-mirror, and nix-sha256 if you set it.' },
      )
    }
    return file
  } catch (error) {
    await rm(folder, { recursive: true, force: true })
    throw explain(error, url)
  }
}

function explain(error: unknown, url: string): unknown {
  if (error instanceof UserError || isDiskFull(error)) return error
  const status = error instanceof Error && 'httpStatusCode' in error ? error.httpStatusCode : undefined
  if (status === 404) {
    return new UserError(`${url} does not exist (HTTP 404)`, {
      advice:
        'Check nix-version: the mirror has no such release for this system. Check nix-mirror too, if you set it.',
      cause: error,
    })
  }
  const why = typeof status === 'number' ? `HTTP ${status}` : messageOf(error)
  return new UserError(`${url} could not be downloaded: ${why}`, {
    advice: 'Run the job again later, or set nix-mirror to a mirror that can be reached.',
    cause: error,
  })
}
