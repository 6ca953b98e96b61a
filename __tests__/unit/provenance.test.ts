import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Provenance, provenance } from '../../src/attest/provenance.ts'
import { statement } from '../../src/attest/statement.ts'
import { lockedInputs, publicUrl } from '../../src/build/locked.ts'

const commit = '1f2e3d4c5b6a79880716253443526170f1e2d3c4'
const narHash = 'sha256-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8='
const narHex = '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f'

const facts: Provenance = {
  serverUrl: 'https://github.com',
  claims: {
    repository: 'org/app',
    repository_id: '7',
    repository_owner_id: '5',
    ref: 'refs/tags/v1',
    sha: commit,
    event_name: 'push',
    workflow_ref: 'org/app/.github/workflows/image.yml@refs/tags/v1',
    job_workflow_ref: 'org/shared/.github/workflows/build.yml@refs/heads/main',
    runner_environment: 'github-hosted',
    run_id: '19',
    run_attempt: '2',
  },
  installable: '.#image',
  flake: {
    ...{ url: `git+https://github.com/org/app?rev=${commit}`, narHash, dirty: false, lock: 'ab'.repeat(32) },
    inputs: [{ name: 'nixpkgs', url: `github:NixOS/nixpkgs/${commit}`, rev: commit, narHash }],
  },
  images: [
    { platform: 'linux/amd64', digest: 'sha256:1', derivation: '/nix/store/a.drv', output: '/nix/store/a' },
    { platform: 'linux/arm64', digest: 'sha256:2' },
  ],
  nix: {
    ...{ version: '2.35.2', sandbox: true },
    tarball: { url: 'https://releases.nixos.org/nix.tar.xz', sha256: 'c' },
  },
}

test('provenance names the workflow that builds apart from the one that was started, and each of what was used', () => {
  const { predicateType, predicate } = provenance(facts)
  assert.equal(predicateType, 'https://slsa.dev/provenance/v1')
  assert.deepEqual(predicate, {
    buildDefinition: {
      buildType: 'https://nix-image-action.github.io/provenance/v1',
      externalParameters: {
        workflow: {
          repository: 'https://github.com/org/app',
          ref: 'refs/tags/v1',
          path: '.github/workflows/image.yml',
        },
        installable: '.#image',
        flake: {
          url: `git+https://github.com/org/app?rev=${commit}`,
          narHash,
          lock: { sha256: 'ab'.repeat(32) },
        },
      },
      internalParameters: {
        github: {
          event_name: 'push',
          repository_id: '7',
          repository_owner_id: '5',
          runner_environment: 'github-hosted',
        },
        images: facts.images,
        dirty: false,
        nix: { version: '2.35.2', sandbox: true },
      },
      resolvedDependencies: [
        { uri: 'git+https://github.com/org/app@refs/tags/v1', digest: { gitCommit: commit } },
        {
          name: 'nixpkgs',
          uri: `github:NixOS/nixpkgs/${commit}`,
          digest: { gitCommit: commit, narSha256: narHex },
        },
        { name: 'nix', uri: 'https://releases.nixos.org/nix.tar.xz', digest: { sha256: 'c' } },
      ],
    },
    runDetails: {
      builder: { id: 'https://github.com/org/shared/.github/workflows/build.yml@refs/heads/main' },
      metadata: { invocationId: 'https://github.com/org/app/actions/runs/19/attempts/2' },
    },
  })
})

test('what is not known is left out of it', () => {
  const known = { ...facts, installable: undefined, flake: undefined, nix: undefined }
  const text = statement(
    { name: 'ghcr.io/org/app', digest: `sha256:${'a'.repeat(64)}` },
    provenance(known),
  ).toString()
  const { _type, subject, predicate } = JSON.parse(text)
  assert.equal(_type, 'https://in-toto.io/Statement/v1')
  assert.deepEqual(subject, [{ name: 'ghcr.io/org/app', digest: { sha256: 'a'.repeat(64) } }])
  assert.deepEqual(Object.keys(predicate.buildDefinition.externalParameters), ['workflow'])
  assert.deepEqual(Object.keys(predicate.buildDefinition.internalParameters), ['github', 'images'])
  assert.equal(predicate.buildDefinition.resolvedDependencies.length, 1)
})

test('inputs of a lock file, by what they are', () => {
  const nodes = {
    root: {},
    github: { locked: { type: 'github', owner: 'o', repo: 'r', rev: commit, narHash } },
    git: { locked: { type: 'git', url: 'https://user:secret@host/r?token=x', rev: commit } },
    ssh: { locked: { type: 'git', url: 'ssh://git@host/r', ref: 'main' } },
    tarball: { locked: { type: 'tarball', url: 'https://host/r.tar.gz?access_token=x', narHash } },
    here: { locked: { type: 'path', path: './sub' } },
    home: { locked: { type: 'git', url: 'file:///home/runner/secret' } },
  }
  assert.deepEqual(
    lockedInputs(nodes).map(({ name, url, rev, narHash }) => [name, url, rev, narHash]),
    [
      ['github', `github:o/r/${commit}`, commit, narHash],
      ['git', 'git+https://host/r', commit, undefined],
      ['ssh', 'git+ssh://host/r', undefined, undefined],
      ['tarball', 'https://host/r.tar.gz', undefined, narHash],
    ],
  )
})

test('no credential and no place on this machine is in a reference that is published', () => {
  const word = fc.stringMatching(/^[a-z0-9]{6,12}$/)
  const scheme = fc.constantFrom('https', 'git+https', 'git+ssh', 'tarball+https', 'git+http')
  fc.assert(
    fc.property(scheme, word, word, word, word, (scheme, user, password, host, token) => {
      const secrets = [`U${user}`, `P${password}`, `T${token}`, `H${token}`]
      const [name, word, value, hash] = secrets
      const written = `${scheme}://${name}:${word}@${host}.org/repo?rev=1&dir=sub&private_token=${value}#${hash}`
      const url = publicUrl(written) ?? ''
      assert.equal(url, `${scheme}://${host}.org/repo?rev=1&dir=sub`)
    }),
  )
  for (const local of [
    'git+file:///home/a/b?rev=1',
    'path:/home/a/b',
    'file:///home/a.tar',
    '/home/a',
    './a',
  ])
    assert.equal(publicUrl(local), undefined, local)
  assert.equal(publicUrl('github:o/r/main?dir=a'), 'github:o/r/main?dir=a')
})
