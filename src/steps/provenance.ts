import type { Provenance } from '../attest/provenance.ts'
import { publicText, publicUrl } from '../build/locked.ts'
import { isPure } from '../build/revision.ts'
import { type FlakeSource, lockFile } from '../build/source.ts'
import type { Job } from '../job.ts'
import { releaseUrl } from '../nix/releases.ts'
import type { Claims } from '../runner/id-token.ts'
import { sha256 } from '../util/digest.ts'
import type { PushedImage } from './model.ts'

/** What this job knows of where images come from. */
export async function provenanceOf(
  job: Pick<Job, 'inputs' | 'context' | 'env' | 'report'>,
  claims: Claims,
  images: readonly PushedImage[],
): Promise<Provenance> {
  const { inputs, context, env } = job
  const { serverUrl } = context
  const source = images.find(({ evaluated }) => evaluated !== undefined)?.evaluated?.source
  return {
    ...{ serverUrl, claims },
    installable: inputs.image && publicText(inputs.image, context.workspace),
    flake: source && (await flakeOf(source, `${serverUrl}/${context.repository}`, context.sha)),
    images: images.map(({ image, child, evaluated }) => ({
      ...{ platform: image.platform, digest: child.digest },
      ...(evaluated && { derivation: evaluated.drvPath, output: evaluated.outPath }),
    })),
    pure: inputs.image && isPure(inputs.nixArgs, inputs.nixConf, env),
    // This run's Nix says nothing of an image that another run has made.
    nix: images.some(({ image }) => image.known === undefined) ? nixOf(job) : undefined,
  }
}

function nixOf({ inputs, report }: Pick<Job, 'inputs' | 'report'>): Provenance['nix'] {
  return (
    report.nix && {
      ...{ version: report.nix.version, sandbox: report.nix.sandbox },
      tarball: report.nix.how === 'installed' ? tarballOf(inputs) : undefined,
    }
  )
}

async function flakeOf(
  source: FlakeSource,
  repository: string,
  commit: string,
): Promise<NonNullable<Provenance['flake']>> {
  const { url, rev, dirty, narHash, locked } = source
  const folder = new URL(url, 'path:').searchParams.get('dir') ?? ''
  // A checkout is known by the repository that it is of, and not by where it is on this machine.
  const checkout = new URL(`git+${repository}`)
  if (folder !== '') checkout.searchParams.set('dir', folder)
  checkout.searchParams.set('rev', commit)
  const lock = await lockFile(source)
  return {
    url: publicUrl(url) ?? (rev === commit ? checkout.href : undefined),
    ...{ rev, dirty, narHash, inputs: locked },
    lock: lock && sha256(lock).slice('sha256:'.length),
  }
}

function tarballOf(inputs: Job['inputs']) {
  const url = publicUrl(releaseUrl(inputs.nixMirror, inputs.release))
  return url === undefined ? undefined : { url, sha256: inputs.release.sha256 }
}
