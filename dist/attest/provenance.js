/** What `buildDefinition` means is told in docs/provenance.md. */
const buildType = 'https://nix-image-action.github.io/provenance/v1'

/**
 * What SLSA calls the provenance of an image.
 * https://slsa.dev/spec/v1.0/provenance
 */
export function provenance(facts) {
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

function flakeParameter({ url, rev, dirty, narHash, lock }) {
  return {
    ...(url && { url }),
    ...(rev && { rev }),
    dirty,
    ...(narHash && { narHash }),
    ...(lock && { lock: { sha256: lock } }),
  }
}

/** A NAR's hash is not that of a file, and so has a name of its own. */
function dependency({ name, url, rev, narHash }) {
  const nar = narHash && Buffer.from(narHash.replace(/^sha256-/, ''), 'base64').toString('hex')
  return {
    name,
    ...(url && { uri: url }),
    digest: { ...(rev && { gitCommit: rev }), ...(nar && { narSha256: nar }) },
  }
}
