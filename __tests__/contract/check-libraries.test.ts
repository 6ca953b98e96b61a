import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, test } from 'node:test'
import { partsBin } from '../../script/parts/paths.ts'
import type { Subject } from '../../src/check/model.ts'
import { root } from '../../src/check/programs/account.ts'
import { isElf, parseElf } from '../../src/check/programs/elf.ts'
import { examineProgram } from '../../src/check/programs/examine.ts'
import { readAt } from '../../src/check/programs/file.ts'
import { lackingLibraries } from '../../src/check/programs/loader.ts'
import { debLayers, dockerArchive, inspectedArchive } from '../harness/docker-image.ts'
import { membersOf } from '../harness/inspected.ts'
import { Machine } from '../harness/machine.ts'
import { expect } from '../harness/nix-by-hand.ts'
import { writeTar } from '../harness/tar-writer.ts'

const skip = Machine.unavailable() ?? false
const machine = skip === false ? await Machine.create({ user: 'root' }) : undefined
after(() => machine?.dispose())

const triplet = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu'
const tree = '/root/tree'

/** Programs that are linked in all the ways that decide where a library is looked for. */
const variants = `
cd ${tree}
libraries=usr/lib/${triplet}
mkdir -p opt/bin opt/lib opt/libraries/${triplet} opt/conf opt/foreign opt/text opt/middle opt/deep
mv $libraries/liblz4.so.1* opt/lib/
lz4=$(echo opt/lib/liblz4.so.1.*)
cp $lz4 opt/libraries/${triplet}/liblz4.so.1
variant() { name=$1; shift; cp usr/bin/zstd opt/bin/$name; patchelf "$@" opt/bin/$name; }
library() { cp $lz4 $1; patchelf --set-soname "\${1##*/}" $1; }

variant runpath --set-rpath /opt/lib
variant rpath --force-rpath --set-rpath /opt/lib
variant second --set-rpath /nowhere:/opt/lib
variant nowhere --set-rpath /nowhere
variant origin --set-rpath '$ORIGIN/../lib'
variant braces --force-rpath --set-rpath '/nowhere:\${ORIGIN}/../lib'
variant lib --set-rpath '/opt/libraries/../$LIB'
variant path --replace-needed liblz4.so.1 /opt/lib/liblz4.so.1
variant nopath --replace-needed liblz4.so.1 /opt/no/liblz4.so.1
variant soname --add-needed /opt/lib/liblz4.so.1.9.4
variant nodefault --no-default-lib --set-rpath /opt/lib
mkdir -p opt/lib/${triplet} && ln -s ../liblz4.so.1 opt/lib/${triplet}/

# A library for another processor is passed by; one that is none is an end.
cp $lz4 opt/foreign/liblz4.so.1
printf '\\002\\001' | dd of=opt/foreign/liblz4.so.1 bs=1 seek=18 conv=notrunc 2>/dev/null
variant foreign --set-rpath /opt/foreign:/opt/lib
variant foreign-alone --set-rpath /opt/foreign

# What a library needs is looked for by the program's RPATH, but not by its RUNPATH.
library opt/deep/libdeep.so.1
library opt/middle/libmiddle.so.1
patchelf --add-needed libdeep.so.1 opt/middle/libmiddle.so.1
variant inherits --force-rpath --set-rpath /opt/lib:/opt/middle:/opt/deep --add-needed libmiddle.so.1
variant inherits-not --set-rpath /opt/lib:/opt/middle:/opt/deep --add-needed libmiddle.so.1
library opt/middle/libown.so.1
patchelf --add-needed libdeep.so.1 --set-rpath /opt/deep opt/middle/libown.so.1
variant own --set-rpath /opt/lib:/opt/middle --add-needed libown.so.1
library opt/middle/libother.so.1
patchelf --add-needed libdeep.so.1 --set-rpath /nowhere opt/middle/libother.so.1
variant other --force-rpath --set-rpath /opt/lib:/opt/middle:/opt/deep --add-needed libother.so.1

# What ldconfig found.
library opt/conf/libconf.so.1
echo /opt/conf >etc/ld.so.conf
variant conf --set-rpath /opt/lib --add-needed libconf.so.1
/sbin/ldconfig -r .

# The same with musl's loader, where there is one. Its own search is another.
musl=$(echo lib/ld-musl-*.so.1)
if [ -e "$musl" ]; then
  mkdir opt/musl
  with_musl() { cp usr/bin/zstd opt/musl/$1; patchelf --set-interpreter /$musl opt/musl/$1; name=$1; shift; patchelf "$@" opt/musl/$name; }
  with_musl runpath --set-rpath /opt/lib:/$libraries
  with_musl both --set-rpath '/opt/lib:$ORIGIN/../../lib/${triplet}'
  with_musl nowhere --set-rpath /nowhere
  with_musl foreign --set-rpath /opt/foreign:/opt/lib:/$libraries:/lib/${triplet}
  with_musl inherits --set-rpath /opt/lib:/opt/middle:/opt/deep --add-needed libmiddle.so.1
  with_musl path --replace-needed liblz4.so.1 /opt/lib/liblz4.so.1 --set-rpath /lib/${triplet}
  printf '/opt/conf\n/lib/${triplet}:/usr/lib/${triplet}' >etc/ld-musl-$(uname -m).path
  with_musl conf --set-rpath /opt/lib --add-needed libconf.so.1
fi

# A library that nothing has any more.
find . -name 'libexpat.so.1*' -delete
`

/** Asks each program's own loader, within the tree. Its answer is `name => not found`. */
const ask = `
for file; do
  echo "== $file"
  case $file in /opt/musl/*) LD_LIBRARY_PATH=$folders "$musl" --list "$file" 2>&1; continue ;; esac
  LD_LIBRARY_PATH=$folders LD_TRACE_LOADED_OBJECTS=1 "$loader" "$file" 2>&1
done
true`

/** As glibc's loader says it, and as musl's does. */
const notFound = /^\s(.*) => not found$|^Error loading shared library ([^:]*): No such file/

async function prepared(): Promise<Subject> {
  if (machine === undefined) throw new Error('there is no machine')
  const layers = debLayers(['python3', 'redis-server', 'zstd', 'busybox-static', 'musl'])
  await expect(machine.run(['mkdir', tree]))
  for (const layer of layers) await expect(machine.run(['tar', '-xC', tree], { stdin: layer }))
  const env = { ...machine.env, PATH: `${partsBin}:${machine.env.PATH}` }
  await expect(machine.run(['bash', '-euc', variants], { env }))
  await expect(machine.run(['tar', '-cf', '/root/tree.tar', '-C', tree, '.']))
  const archive = dockerArchive('tree', [await readFile(machine.path('/root/tree.tar'))], {})
  const made = await inspectedArchive(archive)
  after(() => made[Symbol.asyncDispose]())
  return made.subject
}

test('libraries are found where each loader finds them', { skip }, async t => {
  const subject = await prepared()
  const { fs } = subject
  // A loader loads libraries as it does programs.
  const programs = [...fs.named(() => true)].flatMap(found => {
    const read = readAt(fs, found)
    if (found.entry.type !== 'file' || !isElf(read(0, 4))) return []
    const elf = parseElf(read)
    return elf.dynamic === undefined || found.path.startsWith('/opt/foreign/') ? [] : [{ found, elf }]
  })
  assert.ok(programs.length > 100, `${programs.length} programs`)
  const loader = parseElf(readAt(fs, fs.find('/usr/bin/redis-server') ?? assert.fail())).interpreter ?? ''
  const musl = fs.list('/lib').find(name => name.startsWith('ld-musl-'))
  const interpreterOf = ({ found, elf }: (typeof programs)[number]) => {
    const name = found.path.startsWith('/opt/musl/') ? (elf.interpreter ?? '') : loader
    return { name, found: fs.find(name) ?? assert.fail() }
  }

  for (const [name, folders] of Object.entries({
    'as they are': '',
    'with LD_LIBRARY_PATH': '/nowhere;/opt/lib:/opt/deep',
  }))
    await t.test(name, async () => {
      const answer = await expect(
        machine?.run(
          [
            '/usr/sbin/chroot',
            tree,
            '/bin/busybox',
            'sh',
            '-c',
            ask,
            'sh',
            ...programs.map(({ found }) => found.path),
          ],
          { env: { loader, folders, musl: `/lib/${musl}` } },
        ) ?? assert.fail(),
      )
      const real = new Map(
        answer
          .split(/^== /m)
          .slice(1)
          .map(part => {
            const [path = '', ...lines] = part.split('\n')
            const lacking = lines.flatMap(line => notFound.exec(line)?.slice(1).find(Boolean) ?? [])
            return [path, lacking.sort()]
          }),
      )
      const ours = programs.map(program => {
        const { found, elf } = program
        const interpreter = interpreterOf(program)
        const env = new Map([['LD_LIBRARY_PATH', folders]])
        const lacking = lackingLibraries({
          fs,
          program: found,
          elf,
          interpreter,
          env,
          user: root,
          directory: '/',
          isMounted: () => false,
        })
        return [found.path, lacking.map(({ name }) => name).sort()] as const
      })
      assert.deepEqual(new Map(ours), real)
      const without = ours.filter(([, lacking]) => lacking.length > 0).map(([path]) => path)
      assert.ok(without.some(path => path.startsWith('/opt/bin/')))
      assert.ok(without.some(path => path.startsWith('/opt/musl/')))
      assert.ok(without.length < programs.length / 2, without.join(' '))
    })
})

test('of all programs of Debian only those that lack something are found', { skip }, async () => {
  const applet = { link: '/bin/busybox' }
  const links = writeTar(
    membersOf({
      '/bin/sh': applet,
      '/bin/dash': applet,
      '/usr/bin/env': applet,
      '/usr/bin/python3': { link: 'python3.11' },
    }),
  )
  const debian = debLayers(['python3', 'redis-server', 'zstd', 'busybox-static', 'patchelf'])
  await using made = await inspectedArchive(dockerArchive('debian', [...debian, links], {}))
  const { subject } = made
  const start = {
    env: new Map([['PATH', '/usr/bin:/bin']]),
    user: root,
    directory: '/',
    isCertain: true,
  } as const
  const programs = [...subject.fs.named(() => true)].filter(
    ({ entry }) => entry.type === 'file' && (entry.mode & 0o111) !== 0,
  )
  assert.ok(programs.length > 40, `${programs.length} programs`)
  const found = programs.flatMap(({ path }) =>
    examineProgram(subject, { ...start, argv: [path], rule: 'entrypoint', place: path, by: 'runtime' }),
  )
  const lacking = found.map(({ rule, place, why }) => `${rule} ${place} ${/(?<=`)[^`]*(?=`)/.exec(why)}`)
  assert.deepEqual(lacking.sort(), [
    'shebang /usr/lib/python3.11/cgi.py /usr/local/bin/python',
    'shebang /usr/share/doc/redis-tools/examples/redis-trib.rb ruby',
  ])
})
