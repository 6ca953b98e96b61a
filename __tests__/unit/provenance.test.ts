import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Provenance, provenance } from '../../src/attest/provenance.ts'
import { statement } from '../../src/attest/statement.ts'
import { parseInstallable } from '../../src/build/installable.ts'
import { isPinned, lockedInputs, publicText, publicUrl } from '../../src/build/locked.ts'
import { parseInputs } from '../../src/inputs/parse.ts'
import { provenanceOf } from '../../src/steps/provenance.ts'
import { sampleEvent } from './metadata/sample.ts'

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
    ...{ url: `git+https://github.com/org/app?rev=${commit}`, narHash, lock: 'ab'.repeat(32) },
    ...{ rev: commit, dirty: false },
    inputs: [{ name: 'nixpkgs', url: `github:NixOS/nixpkgs/${commit}`, rev: commit, narHash }],
  },
  images: [
    { platform: 'linux/amd64', digest: 'sha256:1', derivation: '/nix/store/a.drv', output: '/nix/store/a' },
    { platform: 'linux/arm64', digest: 'sha256:2' },
  ],
  pure: true,
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
          rev: commit,
          dirty: false,
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
        pure: true,
        nix: { version: '2.35.2', sandbox: true },
      },
      resolvedDependencies: [
        {
          name: 'workflow',
          uri: 'git+https://github.com/org/app@refs/tags/v1',
          digest: { gitCommit: commit },
        },
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
  const known = { ...facts, installable: undefined, flake: undefined, pure: undefined, nix: undefined }
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
    forge: { locked: { type: 'gitlab', host: 'git.org.example', owner: 'o', repo: 'r', rev: commit } },
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
      ['forge', `gitlab:o/r/${commit}?host=git.org.example`, commit, undefined],
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
  assert.equal(publicUrl('gitlab:o/r?host=git.org.example&token=x'), 'gitlab:o/r?host=git.org.example')
})

test('a flake of another commit than the workflow is a dependency of its own, and says that it is', () => {
  const rev = '2'.repeat(40)
  const flake = { url: undefined, rev, dirty: false, narHash, lock: undefined, inputs: [] }
  const { buildDefinition } = predicateOf({ ...facts, flake, nix: undefined })
  assert.deepEqual(buildDefinition.externalParameters.flake, { rev, dirty: false, narHash })
  assert.deepEqual(buildDefinition.resolvedDependencies, [
    {
      name: 'workflow',
      uri: 'git+https://github.com/org/app@refs/tags/v1',
      digest: { gitCommit: commit },
    },
    { name: 'flake', digest: { gitCommit: rev, narSha256: narHex } },
  ])
  const remote = predicateOf({ ...facts, flake: { ...flake, url: `github:o/r/${rev}` } })
  assert.equal(remote.buildDefinition.resolvedDependencies[1].uri, `github:o/r/${rev}`)
  const changed = predicateOf({ ...facts, flake: { ...flake, rev: undefined, dirty: true } })
  assert.deepEqual(changed.buildDefinition.externalParameters.flake, { dirty: true, narHash })
})

test('an installable is published without credentials and places on this machine', () => {
  const shown = (text: string) => publicText(parseInstallable(text), '/home/runner/work/app')
  for (const [written, expected] of [
    ['.#image', '.#image'],
    ['.', '.'],
    ['#image', '.#image'],
    ['./sub#image^out,dev', './sub#image^out,dev'],
    ['sub/../other/#a', './other#a'],
    ['.?dir=sub#a', '.?dir=sub#a'],
    ['path:./x?dir=y&token=T#a', 'path:./x?dir=y#a'],
    ['/home/runner/work/app#image', '.#image'],
    ['/home/runner/work/app/sub#image', './sub#image'],
    ['git+file:///home/runner/work/app?ref=v1#a', 'git+file:.?ref=v1#a'],
    ['path:/home/runner/work/app/a%23b#a', 'path:./a%23b#a'],
    ['/srv/secret#image', undefined],
    ['../app2#image', undefined],
    ['.?dir=../app2#image', undefined],
    ['path:/srv/secret#image', undefined],
    ['PATH:/srv/secret#image', undefined],
    ['tarball+file:///srv/secret.tgz#image', undefined],
    ['git+https://user:token@host/repo#image', 'git+https://host/repo#image'],
    ['HTTPS://user:token@host/repo#image', 'https://host/repo#image'],
    ['https://user:token@host:port/repo#image', undefined],
    ['https://host/x.tgz?token=T&dir=a#img^*', 'https://host/x.tgz?dir=a#img^*'],
    ['github:o/r?host=ghe.example&access_token=T#a', 'github:o/r?host=ghe.example#a'],
    ['nixpkgs/nixos-25.05#hello', 'nixpkgs/nixos-25.05#hello'],
    ['.#packages."a.b".c', '.#packages."a.b".c'],
    ['.#"*"', '.#"*"'],
  ] as const)
    assert.equal(shown(written), expected, written)
})

test('a published installable asks for the same output', () => {
  const name = fc.string({ minLength: 1 }).filter(name => !name.includes('"'))
  const outputs = fc.constantFrom('', '^*', '^out', '^out,dev')
  const flake = fc.constantFrom('.', './sub', 'path:./a%20b', 'github:o/r?dir=x', 'nixpkgs')
  fc.assert(
    fc.property(flake, fc.array(name), outputs, (flake, names, outputs) => {
      const path = names.map(name => `"${encodeURIComponent(name)}"`).join('.')
      const asked = parseInstallable(`${flake}#${path}${outputs}`)
      const { text: _, ...same } = asked
      const { text: __, ...again } = parseInstallable(publicText(asked, '/work') ?? '')
      assert.deepEqual(again, same)
    }),
  )
})

test('Nix is told of where this job made an image, and impure settings are', async t => {
  const { nix, pure, installable } = await provenanceOf(jobWith({}), facts.claims, [made])
  assert.deepEqual(nix, { version: '2.35.2', sandbox: true, tarball: undefined })
  assert.equal(pure, true)
  assert.equal(installable, 'git+https://host/r#image')
  const both = await provenanceOf(jobWith({}), facts.claims, [before, made])
  assert.equal(both.nix?.version, '2.35.2')
  const known = await provenanceOf(jobWith({ 'nix-args': '--impure' }), facts.claims, [before])
  assert.equal(known.nix, undefined)
  assert.equal(known.pure, false)

  const path = await mkdtemp(join(tmpdir(), 'provenance-'))
  t.after(() => rm(path, { recursive: true }))
  await writeFile(join(path, 'flake.lock'), '')
  const url = 'git+file:///home/runner/work/app?ref=main&rev=1'
  const tree = { path, dirty: false, narHash, directory: '/home/runner/work/app', inputs: [], locked: [] }
  const flakeAt = async (rev: string) => {
    const evaluated = { drvPath: '/nix/store/a.drv', outPath: '/nix/store/a', source: { ...tree, url, rev } }
    const images = [{ ...made, evaluated }] as unknown as Parameters<typeof provenanceOf>[2]
    return (await provenanceOf(jobWith({}), facts.claims, images)).flake
  }
  const lock = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
  const rest = { dirty: false, narHash, lock, inputs: [] }
  const here = `git+https://github.com/org/app?rev=${commit}`
  assert.deepEqual(await flakeAt(commit), { url: here, rev: commit, ...rest })
  const other = '2'.repeat(40)
  assert.deepEqual(await flakeAt(other), { url: undefined, rev: other, ...rest })
})

// biome-ignore lint/suspicious/noExplicitAny: JSON, which the tests look into
function predicateOf(facts: Provenance): any {
  return JSON.parse(JSON.stringify(provenance(facts).predicate))
}

type Facts = Parameters<typeof provenanceOf>
const image = { platform: 'linux/amd64', digest: 'sha256:1', changed: true, size: 1, uploaded: 1, layers: [] }
const made = { image, child: { digest: 'sha256:1' }, evaluated: undefined } as unknown as Facts[2][0]
const before = { ...made, image: { ...image, known: 'output' } } as Facts[2][0]

function jobWith(given: Readonly<Record<string, string>>): Facts[0] {
  const written = {
    image: 'git+https://user:token@host/r#image',
    name: 'ghcr.io/org/app',
    'nix-mirror': 'https://mirror.example/nix',
    ...given,
  }
  const event = sampleEvent({ ref: 'refs/heads/main' })
  const read = (name: string) => written[name as 'image'] ?? ''
  return {
    inputs: parseInputs(read, { system: 'x86_64-linux', event }),
    env: {},
    context: {
      serverUrl: 'https://github.com',
      repository: 'org/app',
      sha: commit,
      workspace: '/work',
    } as Facts[0]['context'],
    report: {
      nix: { version: '2.35.2', how: 'found', from: 'present', sandbox: true, phases: [] },
    } as unknown as Facts[0]['report'],
  }
}

test('a reference to a flake elsewhere is pinned by a commit or a hash, and not by a name', () => {
  const commit = '0123456789abcdef0123456789abcdef01234567'
  for (const flake of [
    `github:o/r/${commit}`,
    `git+https://example.org/r?rev=${commit}`,
    'https://example.org/r.tar.gz?narHash=sha256-47DEQpj8HBSa%2B',
  ])
    assert.equal(isPinned(flake), true, flake)
  for (const flake of ['nixpkgs', 'github:o/r', 'github:o/r/v1', 'git+https://example.org/r?ref=main'])
    assert.equal(isPinned(flake), false, flake)
})
