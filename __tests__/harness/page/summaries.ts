import type { Published, PublishedImage, Report } from '../../../src/report.ts'
import { mainSummary } from '../../../src/summary/main.ts'
import { postSummary } from '../../../src/summary/post.ts'

const MiB = 1024 ** 2
const digest = (seed: string) => `sha256:${seed.repeat(64).slice(0, 64)}`
type How = PublishedImage['layers'][number]['how']

function layersOf(sizes: readonly (readonly [How, number])[]): PublishedImage['layers'] {
  return sizes.map(([how, size], index) => ({
    digest: digest((index + 10).toString(16)),
    size: size * MiB,
    how,
  }))
}

const image = (platform: string, seed: string, more: Partial<PublishedImage> = {}): PublishedImage => {
  const layers = layersOf([
    ['present', 31.2],
    ['present', 12.4],
    ['mounted', 8.1],
    ['present', 6.3],
    ['uploaded', 4.2],
    ['uploaded', 0.1],
  ])
  const bytes = (some: PublishedImage['layers']) => some.reduce((sum, { size }) => sum + size, 0)
  return {
    ...{ platform, layers, digest: digest(seed), changed: true, size: bytes(layers) + 4096 },
    uploaded: bytes(layers.filter(({ how }) => how === 'uploaded')) + 4096,
    ...more,
  }
}

const amd64 = image('linux/amd64', '4be1')
const arm64 = image('linux/arm64', 'a90c')
const name = 'ghcr.io/octo-org/weather-server'
const push: Published = {
  name,
  digest: digest('7d3f'),
  tags: ['1.4.2', '1.4', 'latest'].map(tag => `${name}:${tag}`),
  tagged: ['1.4.2', '1.4', 'latest'],
  platforms: ['linux/amd64', 'linux/arm64'],
  changed: true,
  index: { digest: digest('7d3f'), changed: true },
  waiting: [],
  images: [amd64, arm64],
}

const nix: NonNullable<Report['nix']> = {
  version: '2.34.8',
  how: 'installed',
  from: 'actions-cache',
  sandbox: true,
  phases: [
    { name: 'look in the caches', start: 0, seconds: 0.4 },
    { name: 'unpack', start: 0.4, seconds: 1.3 },
    { name: 'register', start: 1.7, seconds: 0.5 },
  ],
}

const cache: NonNullable<Report['cache']> = {
  status: 'partial',
  paths: 1284,
  bytes: 1630 * MiB,
  limit: 4096 * MiB,
  fetched: { packs: 4, bytes: 312 * MiB },
}

const build: NonNullable<Report['build']> = {
  outPaths: ['/nix/store/8ha1dhmx3b1v0zml9d6kzvxxz5ggc3b7-stream-weather-server'],
  builds: [
    { name: 'weather-server-1.4.2', seconds: 71.3 },
    { name: 'weather-server-deps-1.4.2', seconds: 22.8 },
    { name: 'stream-weather-server', seconds: 0.4 },
    { name: 'weather-server-customisation-layer', seconds: 0.3 },
  ],
  failed: [],
  substituted: { cache: 214, upstream: 12, bytes: 298 * MiB },
}

const start: Report['phases'] = [
  { name: 'open the cache', start: 0.1, seconds: 0.6 },
  { name: 'log in', start: 0.1, seconds: 0.3 },
  { name: 'install Nix', start: 0.1, seconds: 2.4 },
  { name: 'evaluate', start: 2.6, seconds: 3.9 },
  { name: 'restore', start: 6.5, seconds: 4.2 },
  { name: 'build', start: 10.7, seconds: 95.1 },
]

const trust: NonNullable<Report['trust']> = {
  paths: [
    { from: 'cache', by: 'signature', key: 'cache.nixos.org-1', paths: 188 },
    { from: 'cache', by: 'nothing', paths: 26 },
    { from: 'https://cache.nixos.org', by: 'signature', key: 'cache.nixos.org-1', paths: 12 },
  ],
  keys: ['cache.nixos.org-1'],
  locked: 3,
  unlocked: 0,
  pure: true,
  bases: [
    {
      reference: `docker.io/library/debian@${digest('5e1')}`,
      hash: { algorithm: 'sha256', hash: digest('90f').slice(7) },
      drvPath: '/nix/store/1-docker-image-debian.drv',
      path: '/nix/store/2-docker-image-debian',
    },
  ],
  downloads: 0,
  machines: [],
}

const published: Report = {
  ...{ nix: { ...nix, release: { sha256: digest('c4').slice(7), pinned: true } }, cache, build, push, trust },
  attested: {
    digest: push.digest,
    claims: [
      {
        what: 'provenance',
        by: 'https://github.com/octo-org/weather-server/.github/workflows/release.yml@refs/tags/v1.4.2',
        added: true,
      },
      {
        what: 'signature',
        by: 'https://github.com/octo-org/weather-server/.github/workflows/release.yml@refs/tags/v1.4.2',
        added: true,
      },
    ],
  },
  sbom: ['amd64', 'arm64'].map(name => ({
    platform: `linux/${name}`,
    files: [`/temp/sbom/weather-server.linux-${name}.cdx.json`],
  })),
  check: {
    findings: [
      {
        ...{ rule: 'tmp', severity: 'hint', place: '/tmp', platform: 'linux/amd64' },
        why: 'There is no /tmp, and programs that want one fail.',
        fix: 'Add `extraCommands = "mkdir -m 1777 tmp";`.',
      },
    ],
    ignored: [],
    uninspected: [],
  },
  tested: {
    ...{ with: 'docker', id: digest('1'), seconds: 1.8 },
    lines: ['weather-server --version', 'GET http://127.0.0.1:8080/health → 200'],
  },
  phases: [
    ...start,
    { name: 'inspect', start: 105.8, seconds: 0.5 },
    { name: 'load', start: 106.3, seconds: 2.2 },
    { name: 'test', start: 108.5, seconds: 1.8 },
    { name: 'push', start: 110.3, seconds: 3.6 },
    { name: 'attest', start: 113.9, seconds: 2.9 },
    { name: 'publish', start: 116.8, seconds: 0.6 },
  ],
  seconds: 117.5,
}

const none = { paths: 0, bytes: 0 }
const posted = { phases: [{ name: 'save the cache', start: 0.1, seconds: 5.1 }], seconds: 5.4 }

const saved = postSummary(
  {
    outcome: 'saved',
    before: { paths: 1284, bytes: 1630 * MiB },
    after: { paths: 1288, bytes: 1702 * MiB },
    added: { paths: 6, bytes: 78 * MiB },
    dropped: { paths: 2, bytes: 6 * MiB },
    uploaded: 78 * MiB,
    held: {
      built: { paths: 240, bytes: 900 * MiB },
      source: { paths: 310, bytes: 200 * MiB },
      upstream: { paths: 738, bytes: 600 * MiB },
    },
    deleted: { entries: 3, bytes: 120 * MiB },
    limit: 4096 * MiB,
    reasons: [],
    calls: 9,
  },
  posted,
)

const idle = postSummary(
  {
    outcome: 'unchanged',
    before: { paths: 1288, bytes: 1702 * MiB },
    after: { paths: 1288, bytes: 1702 * MiB },
    ...{ added: none, dropped: none, uploaded: 0, limit: 4096 * MiB, reasons: [], calls: 2 },
  },
  { phases: [{ name: 'save the cache', start: 0, seconds: 0.3 }], seconds: 0.4 },
)

const known = (one: PublishedImage): PublishedImage => ({
  ...one,
  ...{ changed: false, known: 'source', uploaded: 0 },
  layers: one.layers.map(layer => ({ ...layer, how: 'present' })),
})

const unchanged: Report = {
  cache: { ...cache, status: undefined },
  push: {
    ...push,
    ...{ changed: false, tagged: ['latest'], index: { digest: push.digest, changed: false } },
    images: [known(amd64), known(arm64)],
  },
  phases: [
    { name: 'open the cache', start: 0.1, seconds: 0.7 },
    { name: 'log in', start: 0.1, seconds: 0.4 },
    { name: 'push', start: 0.9, seconds: 0.6 },
  ],
  seconds: 1.6,
}

const failed: Report = {
  ...{
    nix,
    cache: { ...cache, status: undefined },
    build: { ...build, outPaths: [], failed: ['weather-server-1.4.2'] },
  },
  failure: {
    message: 'weather-server-1.4.2 failed to build: exit code 101 in its buildPhase.',
    advice: 'Build it on your machine: `nix build -L .#image`, or read the log below.',
    detail: [
      ...Array.from({ length: 30 }, (_, index) => `> Compiling crate-${index} v0.${index}.1`),
      '> error[E0425]: cannot find value `forecast` in this scope, which is the scope of a closure that is very long',
      '>   --> src/main.rs:42:17',
      '> error: could not compile `weather-server` (bin "weather-server") due to 1 previous error',
    ].join('\n'),
    phase: 'build',
  },
  phases: [...start.slice(0, -1), { name: 'build', start: 10.7, seconds: 95.1, failed: true }],
  seconds: 105.9,
}

const broken: Report = {
  ...{ nix, cache: { ...cache, status: 'hit' }, build: { ...build, builds: [] } },
  check: {
    findings: [
      {
        ...{ rule: 'command', severity: 'error', place: 'Cmd', platform: 'linux/amd64' },
        why: '`/usr/bin/weather-server` is started, and no layer has such a file.',
        fix: 'Write `config.Cmd = [ (lib.getExe pkgs.weather-server) ];`, so that Nix puts it into the image.',
      },
      {
        ...{
          rule: 'certificates',
          severity: 'warning',
          place: '/nix/store/3z9ikx-openssl-3.4.1',
          platform: 'linux/amd64',
        },
        why: 'The image speaks TLS and has no certificates of authorities.',
        fix: 'Add `pkgs.cacert` to `contents`.',
      },
    ],
    ignored: ['tmp'],
    uninspected: [],
  },
  failure: {
    message:
      'The image would not work: Cmd: `/usr/bin/weather-server` is started, and no layer has such a file.',
    advice:
      'Write `config.Cmd = [ (lib.getExe pkgs.weather-server) ];`, so that Nix puts it into the image. To publish it as it is, set `check: warn`, or `check-ignore: command`.',
    detail: undefined,
    phase: 'inspect',
  },
  phases: [...start.slice(0, 5), { name: 'inspect', start: 10.7, seconds: 0.5, failed: true }],
  seconds: 11.3,
}

const waiting: Report = {
  ...{ nix, cache, build },
  push: {
    ...push,
    ...{ digest: amd64.digest, tags: [], tagged: [], platforms: ['linux/amd64'], waiting: ['linux/arm64'] },
    images: [amd64],
  },
  phases: [...start, { name: 'push', start: 105.8, seconds: 3.6 }],
  seconds: 109.5,
}

const warm: Report = {
  ...{ nix, cache: { ...cache, status: 'miss', paths: 0, bytes: 0, fetched: { packs: 0, bytes: 0 } } },
  build: { ...build, outPaths: [] },
  phases: start,
  seconds: 105.9,
}

/** Names that mean something in markdown, in HTML, or to a shell. */
export const hostileNames = [
  'a|b',
  '`tick`',
  '</code></td></tr></table><h1>x</h1>',
  '<img src=x onerror=alert(1)>',
  '**bold** _it_ ~~no~~',
  '[link](https://example.com)',
  '&lt;b&gt; &amp;',
  'back\\slash\\|',
  '<!-- </details>',
  '```',
]

const hostile: Report = {
  nix,
  push: { ...push, tags: hostileNames.map(tag => `${name}:${tag}`) },
  build: { ...build, builds: hostileNames.map(name => ({ name, seconds: 1 })), failed: hostileNames },
  failure: {
    message: hostileNames.join('\n'),
    advice: hostileNames.join(' '),
    detail: hostileNames.join('\n'),
    phase: hostileNames[2],
  },
  phases: hostileNames.map((name, start) => ({ name, start, seconds: 2 })),
  seconds: 11,
}

/** What jobs of all kinds write into their summaries, the one of main and the one of post. */
export const summaries = {
  published: `${mainSummary(published)}\n\n${saved}`,
  unchanged: `${mainSummary(unchanged)}\n\n${idle}`,
  failed: `${mainSummary(failed)}\n\n${saved}`,
  broken: `${mainSummary(broken)}\n\n${idle}`,
  waiting: `${mainSummary(waiting)}\n\n${saved}`,
  warm: `${mainSummary(warm)}\n\n${saved}`,
  hostile: mainSummary(hostile),
} as const
