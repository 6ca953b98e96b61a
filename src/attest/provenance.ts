import type { LockedInput } from '../build/locked.ts'
import type { Claim } from './statement.ts'

/** What a published image was made from, and by what. */
export type Provenance = {
  /** `https://github.com` */
  readonly serverUrl: string
  /** What the job's token says of it. */
  readonly claims: {
    readonly repository: string
    readonly repository_id: string
    readonly repository_owner_id: string
    readonly ref: string
    readonly sha: string
    readonly event_name: string
    readonly workflow_ref: string
    readonly job_workflow_ref: string
    readonly runner_environment: string
    readonly run_id: string
    readonly run_attempt: string
  }
  /**
   * As it was asked for, `.#image`, without credentials; undefined in a job that publishes what others have pushed, and
   * where it is not for all to read.
   */
  readonly installable: string | undefined
  /** The flake; undefined where Nix was not asked, since this commit's image is known. */
  readonly flake:
    | {
        /** The locked reference, without credentials; undefined for a folder that is no commit. */
        readonly url: string | undefined
        /** `sha256-<base64>` of its tree. */
        readonly narHash: string | undefined
        /** Commit of the tree, which may be another one than the workflow's; undefined where it is not known. */
        readonly rev: string | undefined
        /** Whether it was not as it is committed. */
        readonly dirty: boolean
        /** 64 hex digits: sha256 of flake.lock, where there is one. */
        readonly lock: string | undefined
        readonly inputs: readonly LockedInput[]
      }
    | undefined
  readonly images: readonly {
    /** `linux/amd64` */
    readonly platform: string
    readonly digest: string
    /** Store paths, but where another run knows them. */
    readonly derivation?: string
    readonly output?: string
  }[]
  /** Whether this job's settings left evaluation to the flake; undefined where it was to evaluate nothing. */
  readonly pure: boolean | undefined
  /** Undefined where this job made none of the images. */
  readonly nix:
    | {
        readonly version: string
        readonly sandbox: boolean
        /** Undefined where it was there before. */
        readonly tarball: { readonly url: string; readonly sha256: string } | undefined
      }
    | undefined
}

/** What `buildDefinition` means is told in docs/provenance.md. */
const buildType = 'https://nix-image-action.github.io/provenance/v1'

/**
 * What SLSA calls the provenance of an image.
 * https://slsa.dev/spec/v1.0/provenance
 */
export function provenance(facts: Provenance): Claim {
  const { serverUrl, claims, installable, flake, images, pure, nix } = facts
  const repository = `${serverUrl}/${claims.repository}`
  const [path = ''] = claims.workflow_ref.slice(claims.repository.length + 1).split('@')
  const { event_name, repository_id, repository_owner_id, runner_environment } = claims
  const predicate = {
    buildDefinition: {
      buildType,
      externalParameters: {
        workflow: { repository, ref: claims.ref, path },
        installable,
        ...(flake && { flake: flakeParameter(flake) }),
      },
      internalParameters: {
        github: { event_name, repository_id, repository_owner_id, runner_environment },
        images,
        ...(pure !== undefined && { pure }),
        ...(nix && { nix: { version: nix.version, sandbox: nix.sandbox } }),
      },
      resolvedDependencies: [
        { name: 'workflow', uri: `git+${repository}@${claims.ref}`, digest: { gitCommit: claims.sha } },
        // What is built need not be what the workflow was started for: a job can check out any commit.
        ...(flake?.rev === undefined || flake.rev === claims.sha
          ? []
          : [dependency({ name: 'flake', ...flake })]),
        ...(flake?.inputs ?? []).map(dependency),
        ...(nix?.tarball === undefined
          ? []
          : [{ name: 'nix', uri: nix.tarball.url, digest: { sha256: nix.tarball.sha256 } }]),
      ],
    },
    runDetails: {
      builder: { id: `${serverUrl}/${claims.job_workflow_ref}` },
      metadata: {
        invocationId: `${repository}/actions/runs/${claims.run_id}/attempts/${claims.run_attempt}`,
      },
    },
  }
  return { predicateType: 'https://slsa.dev/provenance/v1', predicate }
}

function flakeParameter({ url, rev, dirty, narHash, lock }: NonNullable<Provenance['flake']>) {
  return {
    ...(url && { url }),
    ...(rev && { rev }),
    dirty,
    ...(narHash && { narHash }),
    ...(lock && { lock: { sha256: lock } }),
  }
}

/** A NAR's hash is not that of a file, and so has a name of its own. */
function dependency({
  name,
  url,
  rev,
  narHash,
}: Omit<LockedInput, 'url'> & { readonly url: string | undefined }) {
  const nar = narHash && Buffer.from(narHash.replace(/^sha256-/, ''), 'base64').toString('hex')
  return {
    name,
    ...(url && { uri: url }),
    digest: { ...(rev && { gitCommit: rev }), ...(nar && { narSha256: nar }) },
  }
}
