import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { partsBin } from '../../script/parts/paths.ts'
import { entrypointRule } from '../../src/check/entrypoint.ts'
import { userRule } from '../../src/check/user.ts'
import { workingDirectoryRule } from '../../src/check/working-directory.ts'
import { debLayers, dockerArchive, inspectedArchive } from '../harness/docker-image.ts'
import { startDockerd } from '../harness/dockerd.ts'
import { type Files, membersOf } from '../harness/inspected.ts'
import { Machine } from '../harness/machine.ts'
import { setUpPodman } from '../harness/podman.ts'
import { writeTar } from '../harness/tar-writer.ts'

/** Rules on what a container starts. */
const rules = [userRule, workingDirectoryRule, entrypointRule]

const skip = Machine.unavailable() ?? Machine.withoutContainers()
const machine = skip === false ? await Machine.create({ user: 'root' }) : undefined
const docker = machine && (await startDockerd(machine))
after(() => machine?.dispose())

type Case = {
  readonly config: Readonly<Record<string, unknown>>
  /** What is below the files. */
  readonly base?: readonly Buffer[]
  readonly files?: Files
  /** Each as `rule severity place`. */
  readonly findings: readonly string[]
  /** How `docker run` ends, and what it says. */
  readonly code: number
  readonly says: RegExp
  /** How `podman run` ends, where that is something else. */
  readonly podman?: number
}

const part = (name: string) => readFileSync(join(partsBin, name))
const busybox = skip === false ? part('busybox') : Buffer.alloc(0)
/** Debian's zstd and its libraries, and busybox. */
const debian = skip === false ? debLayers(['zstd', 'busybox-static']) : []
/** Programs that start others. */
const inits =
  skip === false ? debLayers(['tini', 'dumb-init', 'catatonit', 'gosu'], /^(?:tini|dumb|cata|gosu)/) : []
const shell: Files = { '/bin/busybox': busybox, '/bin/sh': { link: 'busybox' } }
const store = '/nix/store/0123456789abcdfghijklmnpqrsvwxyz-'
const said = (text: string) => `#!/bin/busybox sh\n${text}\n`

const loader = process.arch === 'arm64' ? '/lib/ld-linux-aarch64.so.1' : '/lib64/ld-linux-x86-64.so.2'
const triplet = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu'
const compressed = { Entrypoint: ['/usr/bin/zstd'], Cmd: ['--version'] }

/** The same program, for a processor that nobody has. */
function foreign(program: Buffer): Buffer {
  const copy = Buffer.from(program)
  copy.writeUInt16LE(258, 18)
  return copy
}

const cases: Readonly<Record<string, Case>> = {
  'a program by its path': {
    config: { Entrypoint: ['/bin/busybox', 'echo'], Cmd: ['hello'] },
    files: shell,
    findings: [],
    code: 0,
    says: /hello/,
  },
  'a program by its name, in the PATH that engines set': {
    config: { Cmd: ['busybox', 'echo', 'hello'] },
    files: shell,
    findings: [],
    code: 0,
    says: /hello/,
  },
  'a path where the program is not': {
    config: { Entrypoint: ['/usr/bin/nginx'] },
    files: { [`${store}nginx/bin/nginx`]: busybox },
    findings: ['entrypoint error Entrypoint'],
    code: 127,
    says: /exec: "\/usr\/bin\/nginx": stat \/usr\/bin\/nginx: no such file or directory/,
  },
  'a name that is not in PATH': {
    config: { Cmd: ['busybox'], Env: [`PATH=/usr/bin:${store}x/bin`] },
    files: shell,
    findings: ['command error Cmd'],
    code: 127,
    says: /exec: "busybox": executable file not found in \$PATH/,
  },
  'a relative path, from the working directory': {
    config: { Cmd: ['bin/busybox', 'echo', 'hello'], WorkingDir: '/app' },
    files: { '/app/bin/busybox': busybox },
    findings: [],
    code: 0,
    says: /hello/,
  },
  'a relative path, from elsewhere': {
    config: { Cmd: ['./bin/busybox'], WorkingDir: '/app' },
    files: shell,
    findings: ['command error Cmd'],
    code: 127,
    says: /no such file or directory/,
  },
  'a file that is not executable': {
    config: { Cmd: ['/bin/busybox'] },
    files: { '/bin/busybox': { data: busybox, mode: 0o644 } },
    findings: ['command error Cmd'],
    code: 126,
    says: /exec: "\/bin\/busybox": permission denied/,
  },
  'a name of which the first in PATH is not executable': {
    config: { Cmd: ['busybox', 'echo', 'hello'], Env: ['PATH=/a:/b'] },
    files: { '/a/busybox': { data: busybox, mode: 0o644 }, '/b/busybox': busybox },
    findings: [],
    code: 0,
    says: /hello/,
  },
  'a directory': {
    config: { Cmd: ['/bin'] },
    files: shell,
    findings: ['command error Cmd'],
    code: 126,
    says: /exec: "\/bin": is a directory/,
  },
  'links within the image': {
    config: { Cmd: ['/usr/bin/echo', 'hello'] },
    files: {
      '/usr/bin': { link: '../current/bin' },
      '/current': { link: `${store}x` },
      [`${store}x/bin/echo`]: { link: 'busybox' },
      [`${store}x/bin/busybox`]: busybox,
    },
    findings: [],
    code: 0,
    says: /hello/,
  },
  'a link out of the image': {
    config: { Cmd: ['/bin/app'] },
    files: { '/bin/app': { link: `${store}app/bin/app` } },
    findings: ['command error Cmd'],
    code: 127,
    says: /no such file or directory/,
  },
  'links in a circle': {
    config: { Cmd: ['/bin/app'] },
    files: { '/bin/app': { link: 'other' }, '/bin/other': { link: 'app' } },
    findings: ['command error Cmd'],
    code: 125,
    says: /too many levels of symbolic links/,
  },
  'a path through a file': {
    config: { Cmd: ['/etc/passwd/app'] },
    files: { ...shell, '/etc/passwd': 'root:x:0:0::/:/bin/sh\n' },
    findings: ['command error Cmd'],
    code: 125,
    says: /not a directory/,
  },
  'a program of root alone, for another user': {
    config: { Cmd: ['/bin/busybox', 'echo', 'hello'], User: '1000' },
    files: { '/bin/busybox': { data: busybox, mode: 0o700 } },
    findings: ['command warning Cmd'],
    code: 0,
    says: /hello/,
    podman: 126,
  },
  'a program of root alone, for root': {
    config: { Cmd: ['/bin/busybox', 'echo', 'hello'] },
    files: { '/bin/busybox': { data: busybox, mode: 0o100, uid: 5 } },
    findings: [],
    code: 0,
    says: /hello/,
  },
  'a program of a group that the user names': {
    config: { Cmd: ['/bin/busybox', 'echo', 'hello'], User: '1000:50' },
    files: { '/bin/busybox': { data: busybox, mode: 0o710, gid: 50 } },
    findings: [],
    code: 0,
    says: /hello/,
  },
  'a program of a group that the user is in': {
    config: { Cmd: ['/bin/busybox', 'echo', 'hello'], User: 'app' },
    files: {
      '/bin/busybox': { data: busybox, mode: 0o710, gid: 50 },
      '/etc/passwd': 'broken\n\napp:x:1000:1000::/:/bin/sh\n',
      '/etc/group': 'staff:x:50:other,app\n',
    },
    findings: [],
    code: 0,
    says: /hello/,
  },
  'a program of a group that the user is not in': {
    config: { Cmd: ['/bin/busybox', 'echo', 'hello'], User: 'app:app' },
    files: {
      '/bin/busybox': { data: busybox, mode: 0o710, gid: 50 },
      '/etc/passwd': 'app:x:1000:1000::/:/bin/sh\n',
      '/etc/group': 'staff:x:50:other,app\napp:x:1000:\n',
    },
    findings: ['command warning Cmd'],
    code: 0,
    says: /hello/,
    podman: 126,
  },
  'a program whose owner may do less than others': {
    config: { Cmd: ['/bin/busybox', 'echo', 'hello'], User: '1000' },
    files: { '/bin/busybox': { data: busybox, mode: 0o655, uid: 1000 } },
    findings: ['command warning Cmd'],
    code: 0,
    says: /hello/,
    podman: 126,
  },
  'a directory that the user may not pass': {
    config: { Cmd: ['/app/busybox', 'echo', 'hello'], User: '1000' },
    files: { '/app/': { mode: 0o700 }, '/app/busybox': busybox },
    findings: ['command warning Cmd'],
    code: 0,
    says: /hello/,
    podman: 126,
  },
  'a user who is not there': {
    config: { Cmd: ['/bin/busybox'], User: 'app' },
    files: shell,
    findings: ['user error User'],
    code: 125,
    says: /unable to find user app: no matching entries in passwd file/,
  },
  'root by name, without /etc/passwd': {
    config: { Cmd: ['/bin/busybox'], User: 'root' },
    files: shell,
    findings: ['user error User'],
    code: 125,
    says: /unable to find user root: no matching entries in passwd file/,
  },
  'a user and a group by numbers that nobody has': {
    config: { Cmd: ['/bin/busybox', 'id'], User: '1234:5678' },
    files: shell,
    findings: [],
    code: 0,
    says: /uid=1234 gid=5678/,
  },
  'a group that is not there': {
    config: { Cmd: ['/bin/busybox'], User: '0:staff' },
    files: { ...shell, '/etc/group': 'root:x:0:\n' },
    findings: ['user error User'],
    code: 125,
    says: /unable to find group staff: no matching entries in group file/,
  },
  'a working directory that does not exist': {
    config: { Cmd: ['/bin/busybox', 'pwd'], WorkingDir: '/some/where' },
    files: shell,
    findings: [],
    code: 0,
    says: /\/some\/where/,
  },
  'a working directory that is a file': {
    config: { Cmd: ['/bin/busybox', 'pwd'], WorkingDir: '/bin/busybox' },
    files: shell,
    findings: ['working-directory error WorkingDir'],
    code: 125,
    says: /not a directory/,
  },
  'a working directory within a file': {
    config: { Cmd: ['/bin/busybox', 'pwd'], WorkingDir: '/bin/busybox/x' },
    files: shell,
    findings: ['working-directory error WorkingDir'],
    code: 125,
    says: /not a directory/,
  },
  'an init that starts a program of root alone for another user': {
    config: { Entrypoint: ['/usr/bin/tini-static', '/app'], User: '1000' },
    base: inits,
    files: { '/app': { data: busybox, mode: 0o700 } },
    findings: ['entrypoint error Entrypoint'],
    code: 126,
    says: /exec \/app failed: Permission denied/,
  },
  'a working directory that is a circle of links': {
    config: { Cmd: ['/bin/busybox', 'pwd'], WorkingDir: '/a' },
    files: { ...shell, '/a': { link: 'b' }, '/b': { link: 'a' } },
    findings: ['working-directory error WorkingDir'],
    code: 125,
    says: /too many/,
  },
  'a working directory that is a link out of the image': {
    config: { Cmd: ['/bin/busybox', 'pwd'], WorkingDir: '/a' },
    files: { ...shell, '/a': { link: '/b/c' } },
    findings: [],
    code: 0,
    says: /\/b\/c/,
  },
  'a working directory that the user may not enter': {
    config: { Cmd: ['/bin/busybox', 'pwd'], WorkingDir: '/app', User: '1000' },
    files: { ...shell, '/app/': { mode: 0o700 } },
    findings: [],
    code: 0,
    says: /\/app/,
  },
  'a script': {
    config: { Entrypoint: ['/entry.sh'], Cmd: ['hello'] },
    files: { ...shell, '/entry.sh': '#! /bin/sh -e\necho "$1"\n' },
    findings: [],
    code: 0,
    says: /hello/,
  },
  'a script whose interpreter is not in the image': {
    config: { Entrypoint: ['/entry.sh'] },
    files: { ...shell, '/entry.sh': '#!/bin/bash\necho hello\n' },
    findings: ['shebang error /entry.sh'],
    code: 255,
    says: /exec \/entry.sh: no such file or directory/,
  },
  'a script with the line ends of Windows': {
    config: { Entrypoint: ['/entry.sh'] },
    files: { ...shell, '/entry.sh': '#!/bin/sh\r\necho hello\r\n' },
    findings: ['shebang error /entry.sh'],
    code: 255,
    says: /exec \/entry.sh: no such file or directory/,
  },
  'a script that begins with nothing': {
    config: { Entrypoint: ['/entry.sh'] },
    files: { ...shell, '/entry.sh': { data: 'echo hello\n', mode: 0o755 } },
    findings: ['format error /entry.sh'],
    code: 255,
    says: /exec \/entry.sh: exec format error/,
  },
  'a script that begins with nothing, given to a shell': {
    config: { Entrypoint: ['/bin/sh', '/entry.sh'] },
    files: { ...shell, '/entry.sh': 'echo hello\n' },
    findings: [],
    code: 0,
    says: /hello/,
  },
  'a script that a shell does not find': {
    config: { Entrypoint: ['/bin/sh', '/entry.sh'] },
    files: shell,
    findings: ['entrypoint error Entrypoint'],
    code: 2,
    says: /can't open \/entry.sh: no such file/,
  },
  'a script of a script': {
    config: { Cmd: ['/entry.sh'] },
    files: { ...shell, '/entry.sh': '#!/inner.sh\n', '/inner.sh': '#!/bin/sh\necho hello\n' },
    findings: [],
    code: 0,
    says: /hello/,
  },
  'a script of itself': {
    config: { Cmd: ['/entry.sh'] },
    files: { ...shell, '/entry.sh': '#!/entry.sh\n' },
    findings: ['shebang error /entry.sh'],
    code: 255,
    says: /too many levels of symbolic links/,
  },
  'a script by env': {
    config: { Cmd: ['/entry.sh'] },
    files: {
      ...shell,
      '/usr/bin/env': { link: '/bin/busybox' },
      '/entry.sh': '#!/usr/bin/env sh\necho hello\n',
    },
    findings: [],
    code: 0,
    says: /hello/,
  },
  'a script by env, which is not there': {
    config: { Cmd: ['/entry.sh'] },
    files: { ...shell, '/entry.sh': '#!/usr/bin/env sh\necho hello\n' },
    findings: ['shebang error /entry.sh'],
    code: 255,
    says: /no such file or directory/,
  },
  'a script by env, of what is not in PATH': {
    config: { Cmd: ['/entry.py'] },
    files: { ...shell, '/usr/bin/env': { link: '/bin/busybox' }, '/entry.py': '#!/usr/bin/env python3\n' },
    findings: ['shebang error /entry.py'],
    code: 127,
    says: /env: can't execute 'python3'/,
  },
  'a script by env, with an option for its interpreter': {
    config: { Cmd: ['/entry.sh'] },
    files: {
      ...shell,
      '/usr/bin/env': { link: '/bin/busybox' },
      '/entry.sh': '#!/usr/bin/env sh -e\necho hello\n',
    },
    findings: ['shebang error /entry.sh'],
    code: 127,
    says: /env: can't execute 'sh -e'/,
  },
  'env, with a PATH of its own': {
    config: { Cmd: ['/usr/bin/env', 'PATH=/opt', 'X=1', 'busybox', 'echo', 'hello'] },
    files: { '/usr/bin/env': busybox, '/opt/busybox': busybox },
    findings: [],
    code: 0,
    says: /hello/,
  },
  'an init, and what it starts': {
    config: { Entrypoint: ['tini-static', '-g', '--'], Cmd: ['busybox', 'echo', 'hello'] },
    base: inits,
    files: shell,
    findings: [],
    code: 0,
    says: /hello/,
  },
  'an init, and nothing that it could start': {
    config: { Entrypoint: ['/usr/bin/tini-static', '-g', '--'], Cmd: ['redis-server'] },
    base: inits,
    files: shell,
    findings: ['command error Cmd'],
    code: 127,
    says: /exec redis-server failed: No such file or directory/,
  },
  'an init with options, and what it starts': {
    config: { Cmd: ['dumb-init', '-r', '15:2', '--', 'catatonit', '-g', '--', 'busybox', 'echo', 'hello'] },
    base: [...debian, ...inits],
    findings: [],
    code: 0,
    says: /hello/,
  },
  'an init that starts nothing': {
    config: { Entrypoint: ['tini-static', '--version'] },
    base: inits,
    findings: [],
    code: 0,
    says: /tini version/,
  },
  'another user': {
    config: { Entrypoint: ['gosu', 'app'], Cmd: ['busybox', 'id'] },
    base: inits,
    files: { ...shell, '/etc/passwd': 'app:x:1000:1000::/:/bin/sh\n' },
    findings: [],
    code: 0,
    says: /uid=1000/,
  },
  'another user, who may not run the program': {
    config: { Entrypoint: ['gosu', '1000'], Cmd: ['/bin/busybox', 'id'] },
    base: inits,
    files: { '/bin/busybox': { data: busybox, mode: 0o700 } },
    findings: ['command error Cmd'],
    code: 1,
    says: /permission denied/,
  },
  'another user, who is not there': {
    config: { Entrypoint: ['gosu', 'app'], Cmd: ['busybox', 'id'] },
    base: inits,
    files: shell,
    findings: ['entrypoint error Entrypoint'],
    code: 1,
    says: /unable to find user app/,
  },
  "a shell's text": {
    config: { Cmd: ['/bin/sh', '-c', 'exec busybox echo "$HELLO"'], Env: ['HELLO=hello'] },
    files: shell,
    findings: [],
    code: 0,
    says: /hello/,
  },
  "a shell's text, of what is not there": {
    config: { Cmd: ['sh', '-ec', 'redis-server --port "$PORT"'] },
    files: shell,
    findings: ['command error Cmd'],
    code: 127,
    says: /redis-server: not found/,
  },
  "a shell's text that goes on without": {
    config: { Cmd: ['sh', '-c', 'redis-server; echo hello'] },
    files: shell,
    findings: ['command warning Cmd'],
    code: 0,
    says: /hello/,
  },
  "a shell's text that may find it itself": {
    config: { Cmd: ['sh', '-c', 'PATH=/opt; app; redis-server || echo hello'] },
    files: { ...shell, '/opt/app': said('echo there') },
    findings: [],
    code: 0,
    says: /there[\s\S]*hello/,
  },
  'a wrapper, and what it wraps': {
    config: { Cmd: [`${store}app/bin/app`, 'hello'] },
    files: {
      ...shell,
      [`${store}app/bin/app`]: said(
        `export A='1'\nPATH=\${PATH:+':'$PATH':'}\nexec -a "$0" "${store}app/bin/.app-wrapped"  "$@"`,
      ),
      [`${store}app/bin/.app-wrapped`]: said('echo "$1"'),
    },
    findings: [],
    code: 0,
    says: /hello/,
  },
  'a wrapper of what is not there': {
    config: { Cmd: [`${store}app/bin/app`] },
    files: {
      ...shell,
      [`${store}app/bin/app`]: said(`export A='1'\nexec "${store}app/bin/.app-wrapped"  "$@"`),
    },
    findings: [`script error ${store}app/bin/app`],
    code: 127,
    says: /\.app-wrapped: not found/,
  },
  'a script that may end before': {
    config: { Cmd: [`${store}app/bin/app`] },
    files: {
      ...shell,
      [`${store}app/bin/app`]: said('if [ -z "$A" ]; then echo hello; exit; fi\nexec /bin/app "$@"'),
    },
    findings: [`script warning ${store}app/bin/app`],
    code: 0,
    says: /hello/,
  },
  'a script that becomes what it is given': {
    config: { Entrypoint: ['/entry.sh'], Cmd: ['redis-server'] },
    files: { ...shell, '/entry.sh': said('set -e\nexec "$@"') },
    findings: ['command error Cmd'],
    code: 127,
    says: /redis-server: not found/,
  },
  'a script that names what is not in the image': {
    config: { Entrypoint: ['/entry.sh'] },
    files: { ...shell, '/nix/store/': '', '/entry.sh': said(`cat ${store}app/etc/conf\necho hello`) },
    findings: ['script warning /entry.sh'],
    code: 0,
    says: /hello[\s\S]*No such file/,
  },
  'a program and its libraries': {
    config: compressed,
    base: debian,
    findings: [],
    code: 0,
    says: /Zstandard/,
  },
  'a program without its loader': {
    config: compressed,
    base: debian,
    files: { [`${loader.replace(/[^/]*$/, '')}.wh.${loader.replace(/.*\//, '')}`]: '' },
    findings: ['interpreter error /usr/bin/zstd'],
    code: 255,
    says: /exec \/usr\/bin\/zstd: no such file or directory/,
  },
  'a program with a loader that is no program': {
    config: compressed,
    base: debian,
    files: { [loader]: { data: 'hello'.repeat(20), mode: 0o755 } },
    findings: ['interpreter error /usr/bin/zstd'],
    code: 255,
    says: /accessing a corrupted shared library/,
  },
  'a program with a loader that is not executable': {
    config: compressed,
    base: debian,
    files: { [loader]: { data: busybox, mode: 0o644 } },
    findings: ['interpreter error /usr/bin/zstd'],
    code: 255,
    says: /permission denied/,
  },
  'a program without a library': {
    config: compressed,
    base: debian,
    files: { [`/usr/lib/${triplet}/.wh.liblz4.so.1`]: '' },
    findings: ['library error /usr/bin/zstd'],
    code: 127,
    says: /error while loading shared libraries: liblz4\.so\.1: cannot open shared object file/,
  },
  'a program without a library, which LD_LIBRARY_PATH leads to': {
    config: { ...compressed, Env: ['LD_LIBRARY_PATH=/opt/lib'] },
    base: debian,
    files: {
      [`/usr/lib/${triplet}/.wh.liblz4.so.1`]: '',
      '/opt/lib/liblz4.so.1': { link: `/usr/lib/${triplet}/liblz4.so.1.9.4` },
    },
    findings: [],
    code: 0,
    says: /Zstandard/,
  },
  'a program with a library for another processor': {
    config: { ...compressed, Env: ['LD_LIBRARY_PATH=/opt/lib'] },
    base: debian,
    files: { '/opt/lib/liblz4.so.1': foreign(busybox) },
    findings: [],
    code: 0,
    says: /Zstandard/,
  },
  'a program with a library that is none': {
    config: { ...compressed, Env: ['LD_LIBRARY_PATH=/opt/lib'] },
    base: debian,
    files: { '/opt/lib/liblz4.so.1': 'hello'.repeat(20) },
    findings: ['library error /usr/bin/zstd'],
    code: 127,
    says: /invalid ELF header/,
  },
  'a program with a library that its user may not read': {
    config: { ...compressed, User: '1000' },
    base: debian,
    files: { '/opt/': '', [`/usr/lib/${triplet}/liblz4.so.1`]: { data: busybox, mode: 0o600 } },
    findings: ['library error /usr/bin/zstd'],
    code: 127,
    says: /liblz4\.so\.1: cannot open shared object file/,
  },
  'a library to preload that is not there': {
    config: { ...compressed, Env: ['LD_PRELOAD=/opt/libjemalloc.so'] },
    base: debian,
    findings: ['library warning Env'],
    code: 0,
    says: /Zstandard[\s\S]*from LD_PRELOAD cannot be preloaded/,
  },
  'a program for another processor': {
    config: { Cmd: ['/bin/busybox'] },
    files: { '/bin/busybox': foreign(busybox) },
    findings: ['architecture error /bin/busybox'],
    code: 255,
    says: /exec \/bin\/busybox: exec format error/,
  },
  'a program of which the beginning is left': {
    config: { Cmd: ['/bin/busybox'] },
    files: { '/bin/busybox': busybox.subarray(0, 60) },
    findings: ['format error /bin/busybox'],
    code: 255,
    says: /exec \/bin\/busybox: exec format error/,
  },
  'nothing in a file': {
    config: { Cmd: ['/bin/busybox'] },
    files: { '/bin/busybox': { data: '', mode: 0o755 } },
    findings: ['format error /bin/busybox'],
    code: 255,
    says: /exec \/bin\/busybox: exec format error/,
  },
}

test('a container starts and fails as the findings say', { skip }, async t => {
  for (const [name, { config, base = [], files = {}, findings, code, says }] of Object.entries(cases))
    await t.test(name, async () => {
      const archive = dockerArchive('image', [...base, writeTar(membersOf(files))], config)
      await using made = await inspectedArchive(archive)
      const found = rules.flatMap(rule => [...rule.inspect(made.subject)])
      const run = await started(archive)
      assert.deepEqual(
        {
          findings: found.map(({ rule, severity, place }) => `${rule} ${severity} ${place}`),
          code: run.code,
        },
        { findings, code },
        JSON.stringify([found, run], undefined, 2),
      )
      assert.match(run.said, says)
    })
})

test('a health check fails as the finding says', { skip }, async t => {
  if (docker === undefined || machine === undefined) throw new Error('there is no machine')
  const checks = {
    'that works': { test: ['CMD', 'busybox', 'true'], findings: [], status: 'healthy' },
    "of a shell's text": { test: ['CMD-SHELL', 'busybox true || exit 1'], findings: [], status: 'healthy' },
    'of what is not there': {
      test: ['CMD', 'curl', '-f', 'x'],
      findings: ['healthcheck error Healthcheck'],
      status: 'unhealthy',
    },
    "of what is not there, of a shell's text": {
      test: ['CMD-SHELL', 'curl -f x >/dev/null 2>&1 || exit 1'],
      findings: ['healthcheck error Healthcheck'],
      status: 'unhealthy',
    },
  }
  for (const [name, { test, findings, status }] of Object.entries(checks))
    await t.test(name, async () => {
      const Healthcheck = { Test: test, Interval: 50_000_000, Retries: 1 }
      const config = { Cmd: ['busybox', 'sleep', '1000'], Healthcheck }
      const archive = dockerArchive('image', [writeTar(membersOf(shell))], config)
      await using made = await inspectedArchive(archive)
      const found = rules.flatMap(rule => [...rule.inspect(made.subject)])
      assert.deepEqual(
        found.map(({ rule, severity, place }) => `${rule} ${severity} ${place}`),
        findings,
      )
      await machine.plant('/root/image.tar', archive)
      await docker('load', '--quiet', '--input', '/root/image.tar')
      const container = (await docker('run', '--detach', '--network=none', 'image')).trim()
      const heard = ['--since', '0', '--filter', `container=${container}`, '--filter', 'event=health_status']
      const events = machine.start([join(partsBin, 'docker'), 'events', ...heard], {
        as: 'root',
        onStdout: said => (/health_status/.test(said) ? events.kill() : undefined),
      })
      assert.match((await events.done).stdout, new RegExp(`health_status: ${status} `))
      await docker('rm', '--force', container)
    })
})

test('Podman refuses what Docker starts with more rights than the user has', { skip }, async () => {
  await using machine = await Machine.create({ user: 'root' })
  const env = { ...machine.env, ...(await setUpPodman(machine)) }
  for (const [name, { config, files = {}, podman }] of Object.entries(cases)) {
    if (podman === undefined) continue
    await machine.plant('/root/image.tar', dockerArchive('image', [writeTar(membersOf(files))], config))
    const load = await machine.run(['podman', 'load', '--input', '/root/image.tar'], { env })
    assert.equal(load.code, 0, load.stderr)
    const { code, stderr } = await machine.run(
      ['podman', '--runtime', `${partsBin}/runc`, 'run', '--network=none', 'localhost/image'],
      {
        env,
      },
    )
    assert.equal(code, podman, name)
    assert.match(stderr, /permission denied/i)
  }
})

/** Gives an image to the daemon, and a container of it time to end. */
async function started(
  archive: Buffer,
): Promise<{ readonly code: number | undefined; readonly said: string }> {
  if (machine === undefined || docker === undefined) throw new Error('there is no machine')
  await machine.plant('/root/image.tar', archive)
  await docker('load', '--quiet', '--input', '/root/image.tar')
  const run = [join(partsBin, 'docker'), 'run', '--rm', '--network=none', 'image']
  const { code, stdout, stderr } = await machine.run(run, { as: 'root' })
  return { code, said: stdout + stderr }
}
