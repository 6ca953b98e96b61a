import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { partsBin } from '../../../../script/parts/paths.ts'
import { entrypointRule } from '../../../../src/check/entrypoint.ts'
import type { Elf } from '../../../../src/check/programs/elf.ts'
import { makeElf } from '../../../harness/elf.ts'
import { type Files, findingsOf, inspected } from '../../../harness/inspected.ts'

const busybox = readFileSync(join(partsBin, 'busybox'))
const store = '/nix/store/0123456789abcdfghijklmnpqrsvwxyz-'
/** What no busybox is, so that nothing is its own. */
const program = { data: busybox, mode: 0o755 }
const shells: Files = { '/bin/sh': program, '/usr/bin/env': program, '/opt/app': program }

type Config = Parameters<typeof inspected>[1]

const of = (files: Files, config: Config) => findingsOf(entrypointRule, { ...shells, ...files }, config)
const started = (...entrypoint: string[]) => of({}, { entrypoint })

test('env finds its program past its options', async () => {
  const missing = ['entrypoint error Entrypoint']
  const ofEnv = async (...words: string[]) => await started('/usr/bin/env', ...words)
  assert.deepEqual(await ofEnv('-S', 'A=1 PATH=/opt app --x', 'y'), [])
  assert.deepEqual(await ofEnv('-SA=1 app'), missing)
  assert.deepEqual(await ofEnv('-vS', 'app', 'y'), missing)
  assert.deepEqual(await ofEnv('--split-string=/opt/app'), [])
  assert.deepEqual(await ofEnv('-u', 'PATH', 'app'), [])
  assert.deepEqual(await ofEnv('-i', 'app'), [])
  assert.deepEqual(await ofEnv('-i', 'PATH=/bin', 'app'), missing)
  assert.deepEqual(await ofEnv('-C', '/opt', './app'), [])
  assert.deepEqual(await ofEnv('-C', '/bin', './app'), missing)
  assert.deepEqual(await ofEnv('--', 'app'), missing)
  assert.deepEqual(await ofEnv('--what', 'app'), [])
  assert.deepEqual(await ofEnv('A=1'), [])
})

test('a shell that reads a profile may find anything by name', async () => {
  assert.deepEqual(await started('/bin/sh', '-c', 'app'), ['entrypoint error Entrypoint'])
  assert.deepEqual(await started('/bin/sh', '-euo', 'pipefail', '-c', 'app'), ['entrypoint error Entrypoint'])
  assert.deepEqual(await started('/bin/sh', '-lc', 'app'), [])
  assert.deepEqual(await started('/bin/sh', '--login', '-c', 'app'), [])
  assert.deepEqual(await started('/bin/sh', '-lc', '/bin/app'), ['entrypoint error Entrypoint'])
  assert.deepEqual(await started('/bin/sh', '-s', 'app'), [])
  assert.deepEqual(await started('/bin/sh'), [])
  assert.deepEqual(await of({}, { entrypoint: ['/bin/sh', '-c', 'app'], env: { BASH_ENV: '/x' } }), [])
})

test('a busybox may have by itself what is in no directory', async () => {
  const files: Files = { '/bin/busybox': busybox, '/bin/sh': { link: 'busybox' } }
  assert.deepEqual(await of(files, { entrypoint: ['sh', '-c', 'sleep 1'] }), [])
  assert.deepEqual(await of(files, { entrypoint: ['busybox', 'sh', '-c', 'sleep 1'] }), [])
  assert.deepEqual(await of(files, { entrypoint: ['busybox', 'sh', '-c', 'app 1'] }), [
    'entrypoint error Entrypoint',
  ])
  assert.deepEqual(await of(files, { entrypoint: ['busybox'], cmd: ['env', 'app'] }), ['command error Cmd'])
})

test('what runtimes mount is not looked for in the image', async () => {
  assert.deepEqual(await started('/proc/self/exe'), [])
  assert.deepEqual(await of({ '/bin/app': { link: '/dev/shm/app' } }, { entrypoint: ['app'] }), [])
})

test('a handler runs WebAssembly', async () => {
  assert.deepEqual(
    await of({ '/app.wasm': { data: '\0asm\x01', mode: 0o755 } }, { entrypoint: ['/app.wasm'] }),
    [],
  )
})

/** A program that nixpkgs' makeBinaryWrapper would compile, by what it holds. */
function wrapper(command: string): Buffer {
  const text = `\n\n# The C-code for this binary wrapper has been generated using the following command:\n\n\nmakeCWrapper ${command}\n\n\n# (Use …)\n`
  return Buffer.concat([busybox.subarray(0, 100_000), Buffer.from(`\0${text}\0`)])
}

test("what nixpkgs' compiled wrappers start", async () => {
  const wrapped = (command: string, files: Files = {}) =>
    of(
      { [`${store}app/bin/app`]: { data: wrapper(command), mode: 0o755 }, ...files },
      { entrypoint: [`${store}app/bin/app`] },
    )
  const missing = [`script error ${store}app/bin/app`]
  assert.deepEqual(await wrapped(`'${store}app/bin/.app-wrapped' \\\n    --inherit-argv0`), missing)
  assert.deepEqual(
    await wrapped(`'${store}app/bin/.app' \\\n    --set 'A' 'b'`, { [`${store}app/bin/.app`]: program }),
    [],
  )
  // It changes where `env` looks.
  const script = `#!/usr/bin/env python3\n`
  assert.deepEqual(await wrapped(`'/x' \\\n    --prefix 'PATH' ':' '/y'`, { '/x': script }), [])
  assert.deepEqual(await wrapped(`'/x' \\\n    --set 'A' 'b'`, { '/x': script }), ['shebang error /x'])
})

const machine = { bits: 64, bigEndian: false, number: process.arch === 'arm64' ? 183 : 62 } as const

function linked(dynamic: Partial<Elf['dynamic'] & object>, interpreter: string | undefined): Buffer {
  const nothing = {
    needed: [],
    soname: undefined,
    rpath: undefined,
    runpath: undefined,
    noDefaultFolders: false,
  }
  return makeElf({ machine, type: 3, interpreter, dynamic: { ...nothing, ...dynamic } })
}

test('of a loader that nobody knows nothing is said', async () => {
  const app = linked({ needed: ['libc.so', 'libdl.so'] }, '/system/bin/linker64')
  const files = { '/app': app, '/system/bin/linker64': { data: linked({}, undefined), mode: 0o755 } }
  assert.deepEqual(await of(files, { entrypoint: ['/app'] }), [])
  assert.deepEqual(await of({ '/app': app }, { entrypoint: ['/app'] }), ['interpreter error /app'])
})

/** A loader as far as it is asked: the texts that it has. */
const loader = {
  data: Buffer.concat([
    linked({ soname: 'ld-linux.so.2' }, undefined),
    Buffer.from('\0/opt/lib/\0/lib/\0\0/etc/ld.so.cache\0'),
  ]),
  mode: 0o755,
}

test('a program with more rights than its user takes no libraries from him', async () => {
  const app = linked({ needed: ['liba.so'] }, '/ld.so')
  const files = (mode: number): Files => ({
    '/app': { data: app, mode },
    '/ld.so': loader,
    '/mine/liba.so': linked({}, undefined),
  })
  const config = { entrypoint: ['/app'], env: { LD_LIBRARY_PATH: '/mine' } }
  assert.deepEqual(await of(files(0o755), { ...config, user: '1000' }), [])
  assert.deepEqual(await of(files(0o4755), { ...config, user: '1000' }), ['library error /app'])
  assert.deepEqual(await of(files(0o4755), config), [])
})

test('a library that is mounted into the container is not missed', async () => {
  const lacks = (name: string, runpath?: string, config: Config = {}) =>
    of(
      { '/app': linked({ needed: [name], runpath }, '/ld.so'), '/ld.so': loader },
      { entrypoint: ['/app'], ...config },
    )
  const missing = ['library error /app']
  for (const name of ['libcuda.so.1', 'libnvidia-ml.so.1', 'libnvcuvid.so', 'libEGL_nvidia.so.0'])
    assert.deepEqual(await lacks(name), [])
  assert.deepEqual(await lacks('libcudart.so.12'), missing)
  assert.deepEqual(await lacks('libGL.so.1', '/nowhere:/run/opengl-driver/lib'), [])
  assert.deepEqual(await lacks('libGL.so.1', '/run/opengl-drivers/lib'), missing)
  assert.deepEqual(await lacks('liba.so', '/dev/shm'), [])
  assert.deepEqual(await lacks('liba.so', '/proc/1/root'), [])
  assert.deepEqual(await lacks('liba.so', '/data/x/lib', { volumes: ['/data/x/'] }), [])
  assert.deepEqual(await lacks('liba.so', '/data/xx/lib', { volumes: ['/data/x/'] }), missing)
  const env = { LD_LIBRARY_PATH: '/plugins' }
  assert.deepEqual(await lacks('liba.so', undefined, { env, volumes: ['/plugins'] }), [])
})

test('an image that names programs without end is not looked at without end', async () => {
  const app = linked({ needed: ['libno.so'], runpath: 'a:'.repeat(20_000) }, '/ld.so')
  await using made = await inspected({ '/app': app, '/ld.so': loader }, { entrypoint: ['/app'] })
  const told = Array.from({ length: 40 }, () => [...entrypointRule.inspect(made.subject)].length)
  assert.equal(told[0], 1)
  assert.equal(told.at(-1), 0)
})

test('libraries that need each other, and more than anybody has', async () => {
  const files: Files = {
    '/app': linked({ needed: ['liba.so', 'ld-linux.so.2'] }, '/ld.so'),
    '/ld.so': loader,
    '/lib/liba.so': linked({ needed: ['libb.so'] }, undefined),
    '/opt/lib/libb.so': linked({ needed: ['liba.so', 'libc.so'] }, undefined),
  }
  await using made = await inspected(files, { entrypoint: ['/app'] })
  const [finding, ...others] = [...entrypointRule.inspect(made.subject)]
  assert.deepEqual([finding?.rule, others], ['library', []])
  assert.match(finding?.why ?? '', /its library libc\.so, which \/opt\/lib\/libb\.so needs, nowhere/)
})

test('for another processor, certainly and perhaps', async () => {
  const elf = (bits: 32 | 64, number: number) => ({
    '/app': makeElf({
      machine: { bits, bigEndian: false, number },
      type: 2,
      interpreter: undefined,
      dynamic: undefined,
    }),
  })
  const config = { entrypoint: ['/app'] }
  const other = process.arch === 'arm64' ? 62 : 183
  assert.deepEqual(await of(elf(64, machine.number), config), [])
  assert.deepEqual(await of(elf(64, other), config), ['architecture error /app'])
  // A processor of 64 bits runs programs of 32, too.
  assert.deepEqual(await of(elf(32, process.arch === 'arm64' ? 40 : 3), config), [])
  const object = makeElf({ machine, type: 1, interpreter: undefined, dynamic: undefined })
  assert.deepEqual(await of({ '/app': object }, config), ['format error /app'])
})

test('a place where the image has the program is named in the fix', async () => {
  const files: Files = { [`${store}redis-7.2/bin/redis-server`]: program, '/doc/redis-server': 'text' }
  await using made = await inspected(files, { entrypoint: ['/usr/bin/redis-server'] })
  const [finding] = [...entrypointRule.inspect(made.subject)]
  assert.equal(
    finding?.why,
    'The image has no `/usr/bin/redis-server`: `exec: "/usr/bin/redis-server": stat /usr/bin/redis-server: no such file or directory`.',
  )
  assert.match(finding?.fix ?? '', new RegExp(`The image has ${store}redis-7.2/bin/redis-server`))
  await using without = await inspected({}, { entrypoint: ['redis-server'] })
  const [other] = [...entrypointRule.inspect(without.subject)]
  assert.match(other?.why ?? '', /exec: "redis-server": executable file not found in \$PATH/)
  assert.match(other?.fix ?? '', /\$\{pkgs\.redis-server\}\/bin\/redis-server/)
})

test('programs that start each other for ever are left at some time', async () => {
  assert.deepEqual(await of({}, { entrypoint: Array.from({ length: 50 }, () => '/usr/bin/env') }), [])
  const script = '#!/bin/sh\nexec /script "$@"\n'
  assert.deepEqual(await of({ '/script': script }, { entrypoint: ['/script'] }), [])
})

test('an end of a line as on Windows, and words that are one', async () => {
  const files = { ...shells, '/b': '#!/bin/bash\r\n', '/c': '#!/usr/bin/env python3 -u\n' }
  const told = async (path: string) => {
    await using made = await inspected(files, { entrypoint: [path] })
    const [finding] = [...entrypointRule.inspect(made.subject)]
    return `${finding?.place} ${finding?.why} ${finding?.fix}`
  }
  assert.match(await told('/\n::error::no'), /no `\/\n::error::no`/)
  assert.match(await told('/b'), /no `\/bin\/bash\r`.*The line ends as on Windows/)
  assert.match(await told('/c'), /`#!\/usr\/bin\/env -S python3 -u`/)
})

test('what a volume may bring is no error', async () => {
  const config = { entrypoint: ['/data/run'], volumes: ['/data/'] }
  assert.deepEqual(await of({ '/data/': '' }, config), ['entrypoint warning Entrypoint'])
  assert.deepEqual(await of({}, { ...config, volumes: ['/dat'] }), ['entrypoint error Entrypoint'])
})

test('names that JavaScript knows are names like others', async () => {
  for (const name of ['constructor', '__proto__', 'toString'])
    assert.deepEqual(await of({ [`/bin/${name}`]: program }, { entrypoint: [name, 'app'] }), [])
  assert.deepEqual(await started('constructor'), ['entrypoint error Entrypoint'])
})

test('the text of a shell is where the config has it', async () => {
  assert.deepEqual(await of({}, { entrypoint: ['/bin/sh', '-c'], cmd: ['app'] }), ['command error Cmd'])
  assert.deepEqual(await of({}, { entrypoint: ['/bin/sh'], cmd: ['/no.sh'] }), ['command error Cmd'])
})

test('a script that reads another may find anything by name', async () => {
  const script = (text: string) => of({ '/entry': `#!/bin/sh\n${text}\n` }, { entrypoint: ['/entry'] })
  assert.deepEqual(await script('. /env\nexec app'), [])
  assert.deepEqual(await script('PATH=/opt\nexec app'), [])
  assert.deepEqual(await script('set -e\nexec app'), ['script error /entry'])
})

test('a program that would be searched for ever is left', async () => {
  const rpath = 'a:'.repeat(20_000)
  const needed = Array.from({ length: 1000 }, (_, i) => `lib${i}.so`)
  const files = { '/app': linked({ needed, runpath: rpath }, '/ld.so'), '/ld.so': loader }
  assert.deepEqual(await of(files, { entrypoint: ['/app'] }), [])
})

test("where musl's loader looks by default, and what is beside it to say otherwise", async () => {
  const text = Buffer.from('\0%.*s/etc/ld-musl-x86_64.path\0')
  const musl = { data: Buffer.concat([linked({}, undefined), text]), mode: 0o755 }
  const files = (interpreter: string): Files => ({
    '/app': linked({ needed: ['libc.so', 'liba.so'] }, interpreter),
    [interpreter]: musl,
  })
  const config = { entrypoint: ['/app'] }
  const library = linked({}, undefined)
  const usual = files('/lib/ld-musl-x86_64.so.1')
  assert.deepEqual(await of({ ...usual, '/usr/local/lib/liba.so': library }, config), [])
  assert.deepEqual(await of({ ...usual, '/usr/local/lib64/liba.so': library }, config), [
    'library error /app',
  ])
  const path = { [`${store}musl/etc/ld-musl-x86_64.path`]: `/a\n${store}x/lib\n` }
  const ofStore = { ...files(`${store}musl/lib/ld-musl-x86_64.so.1`), ...path }
  assert.deepEqual(await of({ ...ofStore, [`${store}x/lib/liba.so`]: library }, config), [])
  assert.deepEqual(await of({ ...ofStore, '/usr/local/lib/liba.so': library }, config), [
    'library error /app',
  ])
})

test('what may be in a volume is not missing for certain', async () => {
  const of = (entrypoint: string[], volumes: string[], env = {}) =>
    findingsOf(entrypointRule, shells, { entrypoint, volumes, env })
  assert.deepEqual(await of(['/bin/sh', '/data/run'], []), ['entrypoint error Entrypoint'])
  assert.deepEqual(await of(['/bin/sh', '/data/run'], ['/data']), ['entrypoint warning Entrypoint'])
  assert.deepEqual(await of(['x'], ['/data'], { PATH: '/bin' }), ['entrypoint error Entrypoint'])
  assert.deepEqual(await of(['x'], ['/data/'], { PATH: '/bin:/data/bin' }), ['entrypoint warning Entrypoint'])
})
