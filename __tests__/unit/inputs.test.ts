import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatPlatform } from '../../src/image/platform.ts'
import { type InputName, inputNames } from '../../src/inputs/model.ts'
import { parseInputs, parseSize } from '../../src/inputs/parse.ts'
import { UserError } from '../../src/util/errors.ts'
import { sampleEvent } from './metadata/sample.ts'

const event = sampleEvent({ ref: 'refs/heads/main' })
const machine = { system: 'x86_64-linux', event }

function parse(given: Partial<Record<InputName, string>> = {}) {
  const defaults = { image: '.#image', name: 'ghcr.io/o/r', 'nix-mirror': 'https://mirror.example/nix' }
  return parseInputs(name => ({ ...defaults, ...given })[name as 'image'] ?? '', machine)
}

function problemsOf(given: Partial<Record<InputName, string>>): string {
  try {
    parse(given)
  } catch (error) {
    assert.ok(error instanceof UserError, String(error))
    return error.message
  }
  return assert.fail(`accepted ${JSON.stringify(given)}`)
}

test('the defaults of action.yml are accepted as they are', () => {
  const text = readFileSync(new URL('../../action.yml', import.meta.url), 'utf8')
  const inputs = text.slice(text.indexOf('\ninputs:'), text.indexOf('\noutputs:'))
  const defaults = new Map<string, string>()
  let name = ''
  for (const line of inputs.split('\n')) {
    name = /^ {2}([a-z0-9-]+):$/.exec(line)?.[1] ?? name
    const value = /^ {4}default: (.*)$/.exec(line)?.[1]
    if (value !== undefined) defaults.set(name, value.replace(/^(['"])(.*)\1$/, '$2'))
  }
  assert.ok(defaults.size > 10)
  // Expressions are evaluated before the step sees them.
  defaults.set('name', 'ghcr.io/o/r')
  const parsed = parseInputs(name => defaults.get(name) ?? '', machine)
  assert.equal(parsed.image?.text, '.#image')
  assert.deepEqual(parsed.tags, ['main'])
  assert.equal(parsed.cacheSize, 4 * 1024 ** 3)
  assert.equal(parsed.push, 'auto')
  assert.equal(parsed.compression, 'gzip')
})

/** What action.yml says of each input. */
function descriptions(): ReadonlyMap<string, string> {
  const yml = readFileSync(new URL('../../action.yml', import.meta.url), 'utf8')
  const inputs = yml.slice(yml.indexOf('\ninputs:'), yml.indexOf('\noutputs:'))
  const found = inputs.matchAll(/^ {2}([a-z0-9-]+):\n {4}description: "(.*)"$/gm)
  return new Map([...found].map(([, name = '', text = '']) => [name, text]))
}

test('action.yml, the code and the README name the same inputs in the same order', () => {
  assert.deepEqual([...descriptions().keys()], [...inputNames])
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  const section = readme.slice(readme.indexOf('\n## Inputs'), readme.indexOf('\n## Outputs'))
  const named = [...section.matchAll(/^\| `([a-z0-9-]+)`/gm)].map(([, name]) => name)
  assert.deepEqual(named, [...inputNames])
})

test('what is built twice is an image', () => {
  assert.equal(parse({}).reproducible, false)
  assert.equal(parse({ reproducible: 'true' }).reproducible, true)
  assert.match(problemsOf({ reproducible: 'yes' }), /reproducible: 'yes' is not one of true, false/)
  for (const name of ['reproducible', 'provenance', 'sign'])
    assert.match(
      problemsOf({ [name]: 'true', image: '', warm: '.#x' }),
      new RegExp(`${name}: is about the image`),
    )
})

test('every problem is listed in one error', () => {
  const message = problemsOf({
    push: 'maybe',
    compression: 'brotli',
    'cache-size': 'much',
    'nix-sha256': 'abc',
    'nix-args': '"open',
    image: '/nix/store/x',
    warm: '.#ok\n--flag',
    name: 'ghcr.io/o/r:tag',
    tags: 'type=semver\ntype=nonsense\nlatest',
    flavor: 'latest=maybe',
    labels: 'maintainer',
    annotations: 'a=b\nindex:{{x}}=y\nc={{x}}',
    'nix-version': '2.1',
    'nix-conf': 'cores = 2\ncores=2',
  })
  for (const name of [
    ...['push', 'compression', 'cache-size', 'nix-sha256', 'nix-args', 'image', 'warm', 'name', 'tags'],
    ...['nix-version', 'nix-conf', 'flavor', 'labels', 'annotations'],
  ])
    assert.match(message, new RegExp(`^ {2}- ${name}: `, 'm'))
  assert.match(message, /nix-conf: line 2 is not a setting: 'cores=2' Write each line as/)
  assert.match(message, /- type=semver: needs a pattern/)
  assert.match(message, /- latest=maybe: latest=maybe is not one of auto, true, false/)
  assert.match(message, /- maintainer: needs a value/)
  assert.match(message, /- index:\{\{x\}\}=y: has an expression in its name/)
  assert.match(message, /- c=\{\{x\}\}: \{\{x\}\} is not known here/)
  assert.match(message, /type=nonsense: 'nonsense' is no type of docker\/metadata-action/)
})

test('inputs that contradict each other are refused', () => {
  assert.match(problemsOf({ image: '', warm: '' }), /nothing to do/)
  assert.match(problemsOf({ 'nix-sha256': 'a'.repeat(64) }), /set nix-version too/)
  assert.match(
    problemsOf({ 'cache-size': '2G', 'gc-max-store-size': '1000' }),
    /something else than cache-size/,
  )
  assert.match(problemsOf({ substituters: 'https://cache.example' }), /need trusted-public-keys/)
  assert.match(problemsOf({ compression: 'gzip', 'compression-level': '12' }), /1 to 9/)
  assert.equal(parse({ compression: 'zstd', 'compression-level': '12' }).compressionLevel, 12)
})

const sshKey = '-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----'

test('other stores: logins leave the URLs, keys need a use, and no secret is in a message', () => {
  const keys = { 'trusted-public-keys': 'a:b' }
  const inputs = parse({ ...keys, substituters: 'https://u:hunter2@h.example/c https://other.example' })
  assert.deepEqual(inputs.substituters, ['https://h.example/c', 'https://other.example'])
  assert.deepEqual(inputs.logins, [{ host: 'h.example', user: 'u', password: 'hunter2' }])
  const locked = parse({ substituters: 'https://ci:@h.example/c', 'copy-to': 'ssh-ng://h', 'ssh-key': '' })
  assert.deepEqual(
    [locked.substituters, locked.lockedSubstituters, locked.logins, locked.sshKey],
    [[], ['https://h.example/c'], [], undefined],
  )
  const to = parse({ 'copy-to': 'ssh-ng://u@h:2222', 'ssh-key': sshKey })
  assert.deepEqual([to.copyTo?.store, to.copyTo?.port, to.sshKey], ['ssh-ng://u@h', 2222, `${sshKey}\n`])
  const rows: [Partial<Record<InputName, string>>, RegExp][] = [
    [
      { ...keys, substituters: 'https://u:hunter2@h', 'nix-conf': 'netrc-file = /x' },
      /put the login into that file/,
    ],
    [{ ...keys, substituters: 'https://u:hunter2@h/a https://v:hunter2@h/b' }, /two logins for h,/],
    [{ ...keys, substituters: 'https://hunter2@h' }, /not user:password/],
    [{ 'ssh-key': sshKey }, /ssh-key: is for builders, and for copy-to/],
    [{ 'ssh-key': sshKey, 'copy-to': 'file:///x' }, /ssh-key: is for builders/],
    [{ 'ssh-key': 'hunter2', 'copy-to': 'ssh-ng://h' }, /ssh-key: this is not a private key/],
    [{ 'copy-to': 'https://u:hunter2@h' }, /copy-to: the URL holds a password/],
    [{ builders: 'ssh-ng://u:hunter2@h' }, /builders: line 1: the URL holds a password/],
  ]
  for (const [given, expected] of rows) {
    const message = problemsOf(given)
    assert.match(message, expected)
    assert.doesNotMatch(message, /hunter2/)
  }
})

test('patterns are for warm only', () => {
  assert.match(problemsOf({ image: '.#packages.*.image' }), /image: '.*' is a pattern/)
  assert.equal(parse({ warm: '.#checks.*.*\n.#a' }).warm.length, 2)
})

test('what is attested and signed, and by what', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString().trim()
  const asked = ({ provenance, sign, signFormats, signKey }: ReturnType<typeof parse>) => [
    ...[provenance, sign, signFormats, signKey !== undefined],
  ]
  assert.deepEqual(asked(parse({})), [false, false, ['bundle'], false])
  const all = { provenance: 'true', sign: 'true', 'sign-format': 'tag, bundle', 'sign-key': key }
  assert.deepEqual(asked(parse(all)), [true, true, ['tag', 'bundle'], true])
  assert.match(problemsOf({ 'sign-key': key }), /sign-key: signs nothing: set `sign: true` too/)
  assert.match(problemsOf({ 'sign-password': 'x' }), /sign-password: is that of sign-key/)
  assert.match(problemsOf({ 'sign-format': 'sig' }), /sign-format: 'sig' is not one of bundle, tag/)
  const broken = problemsOf({ sign: 'true', 'sign-key': key.replace(/\n/g, '') })
  assert.match(broken, /sign-key: This is no private key in PEM\..*as they were written/)
  assert.ok(!broken.includes(key.split('\n')[1] ?? ''))
})

test('the image is inspected unless somebody says otherwise, by all rules but those that are named', () => {
  assert.deepEqual([parse({}).check, parse({}).checkIgnored], ['error', []])
  assert.equal(parse({ check: 'off' }).check, 'off')
  assert.deepEqual(parse({ 'check-ignore': 'library,\nentrypoint library' }).checkIgnored, [
    'entrypoint',
    'library',
  ])
  assert.match(
    problemsOf({ 'check-ignore': 'libary' }),
    /check-ignore: there is no rule 'libary': rules are .*entrypoint, .*library/,
  )
})

test('systems and platforms: those of the runner, those of the job, those of the whole matrix', () => {
  const parsed = (inputs: Record<string, string>) => {
    const { systems, platforms } = parse(inputs)
    return [systems, platforms.map(formatPlatform)]
  }
  assert.deepEqual(parsed({}), [['x86_64-linux'], ['linux/amd64']])
  assert.deepEqual(parsed({ systems: 'x86_64-linux, aarch64-linux\narmv7l-linux' }), [
    ['x86_64-linux', 'aarch64-linux', 'armv7l-linux'],
    ['linux/amd64', 'linux/arm/v7', 'linux/arm64'],
  ])
  assert.deepEqual(parsed({ platforms: 'linux/arm64/v8,linux/amd64 linux/arm64' }), [
    ['x86_64-linux'],
    ['linux/amd64', 'linux/arm64'],
  ])
  assert.deepEqual(parsed({ systems: 'none', platforms: 'linux/arm,linux/amd64' }), [
    [],
    ['linux/amd64', 'linux/arm/v7'],
  ])
  assert.equal(parse({ systems: 'none', platforms: 'linux/arm64,linux/amd64' }).image, undefined)
  for (const [inputs, words] of [
    [{ systems: 'x86_64-darwin' }, /systems: x86_64-darwin: not one of x86_64-linux, /],
    [{ systems: 'none x86_64-linux' }, /systems: none: not one of/],
    [{ systems: 'none' }, /systems: `none` builds nothing: name in `platforms`/],
    [
      { systems: 'none', platforms: 'linux/amd64', warm: '.#a' },
      /systems: `none` builds nothing, and warm needs/,
    ],
    [{ platforms: 'arm64' }, /platforms: arm64: not one of linux\/amd64, linux\/arm64, /],
    [{ platforms: 'linux/amd64,linux/aarch64' }, /platforms: linux\/aarch64: not one of/],
    [{ systems: 'none', platforms: 'linux/amd64' }, /systems: `none` builds nothing: .*two at least/],
    [
      { systems: 'none', platforms: 'linux/amd64,linux/arm64', push: 'digest' },
      /systems: `none` only publishes/,
    ],
    [
      { platforms: 'linux/arm64' },
      /platforms: lacks linux\/amd64, which this runner builds: take a runner for linux\/arm64/,
    ],
    [{ load: 'true', systems: 'aarch64-linux' }, /load: is for the system of this runner, x86_64-linux/],
    [{ test: 'true', systems: 'aarch64-linux' }, /test: is for the system of this runner, x86_64-linux/],
    [{ systems: 'none', test: 'true' }, /systems: `none` builds nothing, and test needs that/],
    [{ image: '', warm: '.#a', test: 'true' }, /test: needs an image, and `image` is empty/],
    [{ image: '', warm: '.#a', sbom: 'true' }, /sbom: needs an image, and `image` is empty/],
    [
      { systems: 'none', platforms: 'linux/amd64,linux/arm64', sbom: 'true' },
      /systems: `none` builds nothing, and sbom needs that/,
    ],
    [{ sbom: 'cyclonedx' }, /sbom: 'cyclonedx' is not one of true, false/],
    [
      { test: 'a && b\nwait: port 1' },
      /- test: 'a && b': no shell reads this.*\n {4}'wait: port 1' needs a line start: above it$/m,
    ],
  ] as const)
    assert.match(problemsOf(inputs), words)
})

test('jobs push one image together when name, tags and platforms are the same', () => {
  const same = { name: 'ghcr.io/o/App', tags: 'type=sha\nx', platforms: 'linux/amd64,linux/arm64' }
  const { together } = parse(same)
  const leg = {
    ...same,
    name: 'ghcr.io/o/app',
    tags: '  type=sha\n\nx',
    platforms: 'linux/arm64 linux/amd64',
  }
  assert.equal(parse({ ...leg, systems: 'aarch64-linux', image: '.#other' }).together, together)
  assert.equal(parse({ ...leg, systems: 'none' }).together, together)
  for (const other of [{ name: 'ghcr.io/o/b' }, { tags: 'x' }, { platforms: 'linux/amd64' }])
    assert.notEqual(parse({ ...same, ...other }).together, together)
})

test('the alias of cache-size counts bytes', () => {
  assert.equal(parse({ 'gc-max-store-size': '1073741824' }).cacheSize, 1024 ** 3)
  assert.equal(parse({ 'cache-size': '4G', 'gc-max-store-size': '1000' }).cacheSize, 1000)
  assert.match(problemsOf({ 'gc-max-store-size': 'lots' }), /not a size in bytes/)
})

test('lists leave out comments and empty lines', () => {
  const { warm } = parse({ warm: '\n  .#a \n# no\n.#b\n' })
  assert.deepEqual(
    warm.map(({ text }) => text),
    ['.#a', '.#b'],
  )
  const noise = '  # a comment\n\n'.repeat(1000)
  assert.match(problemsOf({ image: '', warm: noise }), /nothing to do/)
  assert.equal(parse({ image: '', warm: `${noise}.#a` }).warm.length, 1)
})

test('parseSize reads back every whole number of every unit, and nothing negative or fractional in bytes', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4096 }),
      fc.constantFrom('', 'K', 'M', 'G', 'T'),
      (number, unit) => {
        assert.equal(parseSize(`${number}${unit}`), number * 1024 ** ['', 'K', 'M', 'G', 'T'].indexOf(unit))
      },
    ),
  )
  for (const text of ['', '-1', '0', '1e9', '4 G', 'G', '0x10', '99999999T', 'Infinity'])
    assert.equal(parseSize(text), undefined, text)
})

test('a name without registry and owner is nobody’s to push to', () => {
  assert.match(
    problemsOf({ name: 'App' }),
    /name: 'App' has neither registry nor owner: write ghcr\.io\/owner\/app/,
  )
  assert.equal(parse({ name: 'App', push: 'false' }).repository?.path, 'library/app')
  assert.equal(parse({ name: 'owner/App' }).repository?.path, 'owner/app')
})
