import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { closest } from '../../src/build/attributes.ts'
import { parseEvent } from '../../src/build/events.ts'
import { wrongHash } from '../../src/build/failed-build.ts'
import { type Failure, failureOf } from '../../src/build/failure.ts'
import { isPlaceholder, spellings } from '../../src/build/hash.ts'
import { parseInstallable } from '../../src/build/installable.ts'
import { observe, startProgress } from '../../src/build/progress.ts'
import { type FlakeSource, parseMetadata, placeOf } from '../../src/build/source.ts'
import type { UserError } from '../../src/util/errors.ts'

let folder: string
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nia-failure-'))
})
after(() => rm(folder, { recursive: true }))

const drv = (name: string) => `/nix/store/${'0'.repeat(32)}-${name}.drv`

/** The error made of what Nix said: messages of level 0, log lines of one build, lines of others. */
async function fail(said: {
  messages?: string[]
  log?: string[]
  lines?: string[]
  step?: Failure['step']
}): Promise<UserError> {
  const progress = startProgress()
  const event = (value: object) => {
    const parsed = parseEvent(`@nix ${JSON.stringify(value)}`)
    if (parsed !== undefined) observe(progress, parsed, 0)
  }
  if (said.log !== undefined) {
    event({ action: 'start', id: 1, parent: 0, type: 104, fields: [] })
    event({ action: 'start', id: 2, parent: 0, type: 105, fields: [drv('x-1'), '', 1, 1] })
    for (const line of said.log) event({ action: 'result', id: 2, type: 101, fields: [line] })
    event({ action: 'result', id: 1, type: 105, fields: [0, 1, 0, 1] })
    event({ action: 'stop', id: 2 })
  }
  for (const line of said.lines ?? []) observe(progress, { kind: 'line', text: line }, 0)
  for (const msg of said.messages ?? [])
    event({ action: 'msg', level: 0, msg: `error: ${msg}`, raw_msg: msg })
  return failureOf({
    step: said.step ?? 'built',
    progress,
    code: 1,
    installables: [parseInstallable('.#image')],
    source: sourceAt(folder),
    nix: { version: '2.34.8', bin: join(folder, 'no-nix-here'), system: 'x86_64-linux', env: {} },
    workspace: folder,
    args: [],
  })
}

test('what Nix and builders say in other ways than the recordings', async () => {
  const builder = `builder for '${drv('x-1')}'`
  const rows: [Parameters<typeof fail>[0], RegExp, RegExp][] = [
    [
      { messages: [`${builder} failed due to signal 9 (Killed);\nlast 1 log lines:\n> a`], log: ['a'] },
      /^x-1 failed to build: builder failed due to signal 9 \(Killed\)$/,
      /larger runner/,
    ],
    [
      {
        messages: [
          `Cannot build '${drv('x-1')}'.\nReason: builder timed out.\nOutput paths:\n  /nix/store/x`,
        ],
      },
      /^x-1 failed to build: builder timed out$/,
      /nix build -L \.#image/,
    ],
    [
      {
        messages: [`${builder} failed with exit code 1`],
        log: ['cp: error writing: No space left on device'],
      },
      /^The disk is full while building x-1: cp: error writing: No space left on device$/,
      /Free space/,
    ],
    [
      { messages: ['executing SQLite statement: database or disk is full'] },
      /^The disk is full: executing SQLite/,
      /Free space/,
    ],
    [
      {
        messages: [
          "unable to download 'https://api.github.com/x': HTTP error 403\n\nresponse body:\n\nAPI rate limit exceeded",
        ],
      },
      /^Could not download https:\/\/api\.github\.com\/x: HTTP error 403$/,
      /github-token/,
    ],
    [
      { messages: ["unable to download 'https://api.github.com/x': HTTP error 404"] },
      /HTTP error 404$/,
      /must be a token that may read it/,
    ],
    [{ messages: ['something new\nin two lines'] }, /^\.#image cannot be built: something new\nin two/, /-L/],
    [{ lines: ['nix: cannot execute'] }, /^Nix ended with exit code 1 for \.#image:$/, /^$/],
    [{}, /^Nix ended with exit code 1 for \.#image and said nothing\.$/, /^$/],
  ]
  for (const [said, message, advice] of rows) {
    const error = await fail(said)
    assert.match(error.message, message)
    assert.match(error.advice ?? '', advice)
  }
  assert.equal((await fail({ lines: ['nix: cannot execute'] })).detail, 'nix: cannot execute')
})

test('what builders write cannot be a workflow command', async () => {
  const log = ['::set-output name=digest::x', 'a\r::error::b', '##[save-state name=x]y']
  const { message, detail } = await fail({
    messages: [`builder for '${drv('x-1')}' failed with ##[error]c\n::error::d`],
    log,
  })
  for (const line of `${message}\n${detail}`.split(/[\r\n]/)) {
    assert.ok(!/^\s*::/.test(line) && !line.includes('##['), JSON.stringify(line))
  }
})

test('a missing attribute is said even when Nix cannot be asked for the others', async () => {
  const error = await fail({
    step: 'evaluated',
    messages: ["flake 'git+file:///w' does not provide attribute 'packages.x86_64-linux.image' or 'image'"],
  })
  assert.equal(error.message, ".#image: the flake has no output 'image'.")
  assert.match(error.advice ?? '', /nix flake show/)
})

test('names that are near', () => {
  const rows: [string, string[], string | undefined][] = [
    ['imag', ['default', 'image', 'magic'], 'image'],
    ['Image', ['default', 'image'], 'image'],
    ['dockerImage', ['image', 'docker-image'], 'docker-image'],
    ['docker', ['server-docker', 'x'], 'server-docker'],
    ['image', ['a', 'zebra'], undefined],
    ['image', [], undefined],
  ]
  for (const [name, names, expected] of rows) assert.equal(closest(name, names), expected, name)
})

test('a hash is spelled as Nix spells it', () => {
  const empty = 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
  assert.deepEqual(spellings(empty), [
    '47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=',
    'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    '0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73',
  ])
  assert.deepEqual([isPlaceholder(empty), isPlaceholder(`sha256-${'A'.repeat(43)}=`)], [false, true])
})

const store = `/nix/store/${'1'.repeat(32)}-source`

function sourceAt(directory: string): FlakeSource {
  const unknown = { rev: undefined, narHash: undefined, inputs: [], locked: [] }
  return { path: store, directory, url: 'x', dirty: false, ...unknown }
}

test('positions of Nix’s are found in the workspace, and only there', () => {
  const source = sourceAt('/w/sub')
  const rows: [string, string | undefined][] = [
    [`${store}/a/flake.nix`, 'sub/a/flake.nix'],
    ['/w/sub/flake.nix', 'sub/flake.nix'],
    ['«git+file:///w/sub?ref=refs/heads/main&rev=1»/a/flake.nix', 'sub/a/flake.nix'],
    ['«github:NixOS/nixpkgs/1»/lib/x.nix', undefined],
    ['«flakes-internal»/call-flake.nix', undefined],
    ['<nix/derivation-internal.nix>', undefined],
    [`/nix/store/${'2'.repeat(32)}-source/flake.nix`, undefined],
    ['/elsewhere/flake.nix', undefined],
    ['«string»', undefined],
  ]
  for (const [file, expected] of rows) {
    const place = placeOf({ file, line: 7 }, source, '/w')
    assert.deepEqual(place, expected === undefined ? undefined : { file: expected, line: 7 }, file)
  }
  assert.equal(placeOf({ file: '«string»', line: 1 }, undefined, process.cwd()), undefined)
})

test('the wrong hash is looked for in text files of the flake only', async () => {
  const root = join(folder, 'tree')
  await mkdir(join(root, 'node_modules'), { recursive: true })
  await mkdir(join(root, 'a'))
  const needle = 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
  await writeFile(join(root, 'a/x.nix'), `{\n  hash = "${needle}";\n}\n`)
  await writeFile(join(root, 'b.json'), `{"sha256": "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73"}`)
  await writeFile(join(root, 'binary'), `\0${needle}`)
  await writeFile(join(root, 'node_modules/y.nix'), needle)
  await symlink('/etc/passwd', join(root, 'link'))
  const got = 'sha256-WJG1tSLV3whtD/CxEPvZ0hu0/HFjrzTQgoai6Eb2vgM='
  const found = await wrongHash(
    { of: 'src', specified: needle, got },
    { source: sourceAt(root), workspace: folder },
  )
  assert.deepEqual(found.place, { file: 'tree/a/x.nix', line: 2 })
  assert.match(
    found.advice ?? '',
    /write sha256-WJG1.*= in tree\/a\/x\.nix:2 \(it may also be the one in tree\/b\.json:1\)/,
  )
  const elsewhere = await wrongHash(
    { of: 'src', specified: got, got: needle },
    { source: sourceAt(root), workspace: folder },
  )
  assert.equal(elsewhere.place, undefined)
  assert.match(elsewhere.advice ?? '', /update that input/)

  const fake = `sha256-${'A'.repeat(43)}=`
  for (const [index, line] of ['hash = lib.fakeHash;', 'sha256 = "";', 'vendorHash = "";'].entries()) {
    await writeFile(join(root, 'a/x.nix'), `${'\n'.repeat(index)}${line}\n`)
    const { place } = await wrongHash(
      { of: 'src', specified: fake, got },
      { source: sourceAt(root), workspace: folder },
    )
    assert.deepEqual(place, { file: 'tree/a/x.nix', line: index + 1 }, line)
  }
})

test('metadata of flakes: git, path, remote', () => {
  const rest = { path: store, url: 'git+file:///w?rev=1' }
  const of = (resolved: object, locked: object = {}) =>
    parseMetadata(JSON.stringify({ ...rest, resolved, locked }))
  assert.equal(of({ type: 'git', url: 'file:///w%20x' }).directory, '/w x')
  assert.equal(of({ type: 'path', path: '/p' }).directory, '/p')
  assert.equal(of({ type: 'github', owner: 'o', repo: 'r' }).directory, undefined)
  assert.equal(of({ type: 'git', url: 'https://h/r' }).directory, undefined)
  assert.deepEqual(
    [of({ type: 'git', url: 'file:///w' }).dirty, of({ type: 'path', path: '/p' }).dirty],
    [true, false],
  )
  assert.deepEqual(of({ type: 'path', path: '/p' }, { rev: '1', narHash: 'sha256-x' }), {
    path: store,
    url: rest.url,
    rev: '1',
    dirty: false,
    narHash: 'sha256-x',
    directory: '/p',
    inputs: [],
    locked: [],
  })
})
