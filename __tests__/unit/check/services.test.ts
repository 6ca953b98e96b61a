import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { partsBin } from '../../../script/parts/paths.ts'
import { servicesRule } from '../../../src/check/configs/services.ts'
import { startedPrograms } from '../../../src/check/configs/started.ts'
import { supervisordRule } from '../../../src/check/configs/supervisord.ts'
import { systemdRule } from '../../../src/check/configs/systemd.ts'
import { makeElf } from '../../harness/elf.ts'
import { type Files, findingsOf, inspected } from '../../harness/inspected.ts'

const busybox = { data: readFileSync(join(partsBin, 'busybox')), mode: 0o755 }
const base: Files = {
  '/bin/sh': busybox,
  '/usr/bin/x': busybox,
  '/usr/bin/env': busybox,
  '/sbin/tini': busybox,
}

async function started(script: string, entrypoint = ['/start', '-c', 'a b']) {
  await using image = await inspected({ ...base, '/start': `#!/bin/sh\n${script}` }, { entrypoint })
  return startedPrograms(image.subject).map(({ argv, sure }) => `${argv.join('|')}${sure ? '' : '?'}`)
}

test('what a script becomes', async () => {
  const start = '/start|-c|a b'
  assert.deepEqual(await started('exec x -n "$@"\n'), [start, 'x|-n|-c|a b'])
  assert.deepEqual(await started('# why\nset -eu\nexport A="b c"\nexec x \\\n  -n\nnever\n'), [start, 'x|-n'])
  assert.deepEqual(await started('mkdir -p /tmp\nexec x\n'), [start, 'mkdir|-p|/tmp', 'x?'])
  assert.deepEqual(await started('if test -e /y; then\n  exec y\nfi\nexec x 2>&1\n'), [start, 'y?', 'x?'])
  assert.deepEqual(await started('exec $PROGRAM\n'), [start])
  assert.deepEqual(await started('cat >/etc/conf <<END\nexec y\nEND\nexec x\n'), [start, 'cat'])
  assert.deepEqual(await started('A=$(date)\nexec x\n'), [start, 'x?'])
  assert.deepEqual(await started('', ['/sbin/tini', '--', '/usr/bin/env', 'A=b', 'x', '-n']), [
    '/sbin/tini|--|/usr/bin/env|A=b|x|-n',
    '/usr/bin/env|A=b|x|-n',
    'x|-n',
  ])
  assert.deepEqual(await started('', ['/bin/sh', '-c', 'exec x -n']), ['/bin/sh|-c|exec x -n', 'x|-n'])
  assert.deepEqual(await started('exec /start\n', ['/start']), Array(8).fill('/start'))
  assert.deepEqual(await started('exec 2>&1\nexec x\n'), [start, 'x'])
  assert.deepEqual(await started('exec >/dev/null 2>&1\nexec x 2> /dev/null >&2\n'), [start, 'x'])
  assert.deepEqual(await started('exec >>/var/log/x\nexec x "a  b" 2>&1\n'), [start, 'x|a  b?'])
  assert.deepEqual(await started('echo it runs >&2\nexec x\n'), [start, 'x'])
  assert.deepEqual(await started('echo a:x:1:1 >> /etc/passwd\nexec x\n'), [start, 'x?'])
  assert.deepEqual(await started(': > /etc/conf\nexec x\n'), [start, 'x?'])
})

test('scripts that are made to take long do not', async () => {
  assert.ok((await started('/start\n'.repeat(10_000), ['/start'])).length <= 1000)
  assert.deepEqual(await started(`x${' >a>'.repeat(1000)};\nexec x\n`), ['/start|-c|a b', 'x?'])
  assert.deepEqual(await started(`${'\\\n'.repeat(80_000)}exec x\n`), ['/start|-c|a b'])
})

test('supervisord behind a script that changes files: nothing is certain', async () => {
  const conf = '[supervisord]\n[program:a]\ncommand=/usr/bin/missing\nuser=nobody\n'
  const of = (script: string, more: Files = {}) =>
    findingsOf(
      supervisordRule,
      {
        ...base,
        '/usr/bin/supervisord': busybox,
        '/etc/supervisord.conf': conf,
        '/start': `#!/bin/sh\n${script}`,
        ...more,
      },
      { entrypoint: ['/start'] },
    )
  const places = ['/etc/supervisord.conf:4', '/etc/supervisord.conf:3']
  assert.deepEqual(
    await of('exec supervisord -n\n'),
    places.map(place => `supervisord error ${place}`),
  )
  assert.deepEqual(
    await of('adduser nobody\nexec supervisord -n\n'),
    places.map(place => `supervisord warning ${place}`),
  )
  // Who starts it cannot be seen.
  assert.deepEqual(
    await of('exec other\n'),
    places.map(place => `supervisord warning ${place}`),
  )
  // One that is mounted when the container starts.
  assert.deepEqual(await of('exec supervisord -nc /config/supervisord.conf\n'), [])
  // Beside itself it looks first.
  assert.deepEqual(await of('exec supervisord -n\n', { '/usr/etc/supervisord.conf': '[supervisord]\n' }), [])
})

test('supervisord: what only the start knows is not guessed', async () => {
  const conf = `[supervisord]
logfile=%(ENV_LOGS)s/x.log
[program:a]
command=%(ENV_PROGRAM)s --flag
user=%(ENV_WHO)s
[program:b]
command=bin/relative
[program:c]
command=/usr/bin/x 100%% %(program_name)s %(process_num)02d
`
  const files = { ...base, '/usr/bin/supervisord': busybox, '/etc/supervisord.conf': conf }
  const entrypoint = ['/usr/bin/supervisord']
  assert.deepEqual(await findingsOf(supervisordRule, files, { entrypoint }), [])
  const env = { LOGS: '/logs', PROGRAM: '/usr/bin/y', WHO: 'me' }
  assert.deepEqual(await findingsOf(supervisordRule, files, { entrypoint, env }), [
    'supervisord error /etc/supervisord.conf:2',
    'supervisord error /etc/supervisord.conf:5',
    'supervisord error /etc/supervisord.conf:4',
  ])
  const volumes = ['/logs']
  assert.equal((await findingsOf(supervisordRule, files, { entrypoint, env, volumes })).length, 2)
})

test('supervisord: a number must have a user, too; a program that may not be run is not looked for elsewhere', async () => {
  const conf = '[supervisord]\n[program:a]\ncommand=/usr/bin/y\nuser=1234\n'
  const files = {
    ...base,
    '/usr/bin/supervisord': busybox,
    '/usr/bin/y': { data: '', mode: 0o644 },
    '/nix/store/00000000000000000000000000000000-y-1.0/bin/y': busybox,
    '/etc/supervisord.conf': conf,
  }
  await using image = await inspected(files, { entrypoint: ['/usr/bin/supervisord'] })
  const [user, program, ...more] = supervisordRule.inspect(image.subject)
  assert.deepEqual(
    [user?.place, program?.place, more],
    ['/etc/supervisord.conf:4', '/etc/supervisord.conf:3', []],
  )
  assert.match(program?.fix ?? '', /chmod \+x/)
})

const system: Files = {
  ...base,
  '/usr/lib/systemd/systemd': busybox,
  '/sbin/init': { link: '../usr/lib/systemd/systemd' },
  '/etc/passwd': 'root:x:0:0::/root:/bin/sh\n',
}
const wanted = (name: string, text: string): Files => ({
  [`/etc/systemd/system/multi-user.target.wants/${name}`]: { link: `/usr/lib/systemd/system/${name}` },
  [`/usr/lib/systemd/system/${name}`]: text,
})
const units = (files: Files, entrypoint = ['/sbin/init']) =>
  findingsOf(systemdRule, { ...system, ...files }, { entrypoint })
const place = '/usr/lib/systemd/system/a.service'

test('systemd: programs and users of units that are enabled', async () => {
  const of = (service: string, unit = '') =>
    units(wanted('a.service', `[Unit]\n${unit}\n[Service]\n${service}\n`))
  assert.deepEqual(await of('ExecStart=/usr/sbin/missing -D'), [`systemd error ${place}:4`])
  assert.deepEqual(await of('ExecStart=@/usr/sbin/missing a -D'), [`systemd error ${place}:4`])
  assert.deepEqual(await of('ExecStartPre=/usr/sbin/missing\nExecStart=/usr/bin/x'), [
    `systemd error ${place}:4`,
  ])
  assert.deepEqual(await of('ExecStart=missing'), [`systemd error ${place}:4`])
  assert.deepEqual(await of('User=app\nExecStart=/usr/bin/x'), [`systemd error ${place}:4`])
  assert.deepEqual(await of('ExecStart=/usr/sbin/missing', 'ConditionPathExists=/y'), [
    `systemd warning ${place}:4`,
  ])
})

test('systemd: what may well be so', async () => {
  const of = (service: string) => units(wanted('a.service', `[Service]\n${service}\n`))
  for (const fine of [
    'ExecStart=/usr/bin/x -D',
    'ExecStart=x',
    'ExecStart=-/usr/sbin/missing',
    'ExecStart=/usr/sbin/missing\nExecStart=\nExecStart=/usr/bin/x',
    'ExecStart=/opt/%i/run',
    'RootDirectory=/srv\nExecStart=/usr/sbin/missing',
    'DynamicUser=yes\nUser=app\nExecStart=/usr/bin/x',
    'User=1000\nExecStart=/usr/bin/x',
    'ExecStop=/usr/sbin/missing',
  ])
    assert.deepEqual(await of(fine), [], fine)
  const missing = wanted('a.service', '[Service]\nExecStart=/usr/sbin/missing\n')
  // Not enabled, masked, changed by a file of its own; systemd is not what starts.
  assert.deepEqual(await units({ [place]: '[Service]\nExecStart=/usr/sbin/missing\n' }), [])
  assert.deepEqual(await units({ ...missing, '/etc/systemd/system/a.service': { link: '/dev/null' } }), [])
  assert.deepEqual(await units({ ...missing, '/etc/systemd/system/a.service.d/own.conf': '' }), [])
  assert.deepEqual(await units(missing, ['/usr/bin/x']), [])
})

test('systemd: a template of what is enabled', async () => {
  const files = {
    '/etc/systemd/system/getty.target.wants/a@tty1.service': { link: '/lib/systemd/system/a@.service' },
    '/lib/systemd/system/a@.service': '[Service]\nExecStart=/sbin/missing %I\n',
  }
  assert.deepEqual(await units(files), ['systemd error /lib/systemd/system/a@.service:2'])
})

const overlay: Files = {
  ...base,
  '/init': '#!/bin/sh -e\nexec s6-overlay-suexec x\n',
  '/package/admin/s6-overlay/libexec/preinit': '#!/bin/sh\n',
}
const longrun = (name: string, run: string | { data: string; mode: number }): Files => ({
  [`/etc/s6-overlay/s6-rc.d/${name}/type`]: 'longrun\n',
  [`/etc/s6-overlay/s6-rc.d/${name}/run`]: run,
})
const runs = (files: Files) => findingsOf(servicesRule, { ...overlay, ...files }, { entrypoint: ['/init'] })

test('s6-overlay: services that its bundles bring up', async () => {
  const bad = { data: '#!/bin/sh\nexec /usr/bin/missing\n', mode: 0o644 }
  const run = '/etc/s6-overlay/s6-rc.d/a/run'
  const inBundle = { '/etc/s6-overlay/s6-rc.d/user/contents.d/a': '' }
  assert.deepEqual(await runs({ ...longrun('a', bad), ...inBundle }), [`services error ${run}:2`])
  assert.deepEqual(await runs(longrun('a', bad)), [])
  assert.deepEqual(
    await runs({ ...longrun('a', bad), '/etc/s6-overlay/user-bundles.d/user/contents.d/a': '' }),
    [`services error ${run}:2`],
  )
  assert.deepEqual(
    await runs({
      ...longrun('a', bad),
      ...longrun('b', '#!/bin/sh\nexec x\n'),
      '/etc/s6-overlay/s6-rc.d/user/contents.d/b': '',
      '/etc/s6-overlay/s6-rc.d/b/dependencies.d/a': '',
    }),
    [`services error ${run}:2`],
  )
  assert.deepEqual(await runs({ '/etc/services.d/a/run': '#!/bin/bash\n' }), [
    'shebang error /etc/services.d/a/run',
  ])
  assert.deepEqual(await runs({ '/etc/services.d/a/run': '#!/bin/sh\nexec x\n' }), [])
  assert.deepEqual(await runs({ '/etc/services.d/a/run': '#!/bin/bash\n', '/etc/services.d/a/down': '' }), [])
})

test("services: what a script does under a condition is nobody's business", async () => {
  const run = '/services/a/run'
  const of = (script: string) =>
    findingsOf(
      servicesRule,
      { ...base, '/bin/s6-svscan': busybox, [run]: `#!/bin/sh\n${script}` },
      { entrypoint: ['s6-svscan', '-t', '500', '/services'] },
    )
  assert.deepEqual(await of('exec /usr/bin/missing\n'), [`services error ${run}:2`])
  assert.deepEqual(await of('mkdir -p /run/a\nexec /usr/bin/missing 2>&1\n'), [`services warning ${run}:3`])
  assert.deepEqual(await of('if test -x /usr/bin/missing; then\n  exec /usr/bin/missing\nfi\nexec x\n'), [])
  assert.deepEqual(await of('/usr/bin/missing || true\nexec x\n'), [])
  assert.deepEqual(await of('exec "$HOME/missing"\n'), [])
})

/** A program whose library is only where LD_LIBRARY_PATH says. */
const machine = { number: process.arch === 'arm64' ? 183 : 62, bits: 64, bigEndian: false } as const
const linked = (needed: string[], interpreter?: string, soname?: string) => ({
  data: makeElf({
    machine,
    type: 3,
    interpreter,
    dynamic: { needed, soname, rpath: undefined, runpath: undefined, noDefaultFolders: false },
  }),
  mode: 0o755,
})
const needy: Files = {
  ...base,
  '/app': linked(['liba.so'], '/ld-linux.so.2'),
  '/ld-linux.so.2': {
    data: Buffer.concat([
      linked([], undefined, 'ld-linux.so.2').data,
      Buffer.from('\0/usr/lib/\0/lib/\0\0/etc/ld.so.cache\0'),
    ]),
    mode: 0o755,
  },
  '/lib/libc.so': linked([]),
  '/opt/lib/liba.so': linked([]),
}

test('supervisord: what it sets in the environment', async () => {
  const of = (conf: string) =>
    findingsOf(
      supervisordRule,
      { ...needy, '/usr/bin/supervisord': busybox, '/etc/supervisord.conf': conf },
      { entrypoint: ['/usr/bin/supervisord'] },
    )
  const app = (environment: string) => `\n[program:a]\ncommand=/app\nenvironment=${environment}\n`
  assert.deepEqual(await of(`[supervisord]${app('A=1')}`), ['library error /app'])
  assert.deepEqual(await of(`[supervisord]${app('A=1,LD_LIBRARY_PATH="/opt/lib"')}`), [])
  assert.deepEqual(await of(`[supervisord]${app('LD_LIBRARY_PATH=/opt')}`), ['library error /app'])
  assert.deepEqual(await of(`[supervisord]${app('LD_LIBRARY_PATH=%(ENV_LIBS)s')}`), [])
  assert.deepEqual(await of(`[supervisord]\nenvironment=LD_LIBRARY_PATH=/opt/lib${app('A=1')}`), [])
})

test('systemd: what a unit sets in the environment', async () => {
  const of = (line: string) =>
    units({ ...needy, ...wanted('a.service', `[Service]\n${line}\nExecStart=/app\n`) })
  assert.deepEqual(await of('Environment=A=1'), ['library error /app'])
  assert.deepEqual(await of('Environment="A=1" "LD_LIBRARY_PATH=/opt/lib"'), [])
  assert.deepEqual(await of('EnvironmentFile=-/etc/default/a'), [])
})

test('systemd: who is missing may be added by systemd-sysusers', async () => {
  const unit = wanted('a.service', '[Service]\nUser=app\nExecStart=/usr/bin/x\n')
  for (const folder of ['/etc', '/run', '/usr/lib'])
    assert.deepEqual(await units({ ...unit, [`${folder}/sysusers.d/app.conf`]: 'u app -\n' }), [
      `systemd warning ${place}:2`,
    ])
})

test('services: what a script sets in the environment', async () => {
  const of = async (script: string, entrypoint = ['s6-svscan', '/services']) => {
    const found = await findingsOf(
      servicesRule,
      {
        ...needy,
        '/bin/s6-svscan': busybox,
        '/services/a/run': `#!/bin/sh\n${script}`,
        '/start': '#!/bin/sh\nexport LD_LIBRARY_PATH=/opt/lib\nexec s6-svscan /services\n',
      },
      { entrypoint },
    )
    // Of the script, and of its line.
    return [...new Set(found)]
  }
  assert.deepEqual(await of('exec /app\n'), ['library error /app'])
  assert.deepEqual(await of('exec /app\n', ['/start']), [])
  assert.deepEqual(await of('export LD_LIBRARY_PATH=/opt/lib\nexec 2>&1\nexec /app\n'), [])
  assert.deepEqual(await of('export LD_LIBRARY_PATH=/opt\nexec /app 2>&1\n'), ['library error /app'])
  assert.deepEqual(await of('LD_LIBRARY_PATH=$(libs)\nexport LD_LIBRARY_PATH\nexec /app\n'), [])
  assert.deepEqual(await of('. /env\nexec /app\n'), [])
})

test('s6-overlay: its own programs are found without links to them', async () => {
  const run = '/etc/services.d/a/run'
  const of = (script: string) =>
    findingsOf(
      servicesRule,
      { ...overlay, '/command/with-contenv': busybox, '/command/y': busybox, [run]: script },
      { entrypoint: ['/init'], env: { PATH: '/usr/bin' } },
    )
  assert.deepEqual(await of('#!/bin/sh\nexec y\n'), [])
  assert.deepEqual(await of('#!/usr/bin/env with-contenv\n'), [])
  assert.deepEqual(await of('#!/command/with-contenv sh\nexec y\n'), [])
  assert.deepEqual(await of('#!/command/with-contenv sh\nexec missing\n'), [`services error ${run}:2`])
})

test('supervisord: of very many programs the first are looked at', async () => {
  const programs = Array.from({ length: 20_000 }, (_, i) => `[program:${i}]\ncommand=/m\nuser=u${i}\n`)
  const conf = `[supervisord]\n${programs.join('')}`
  const files = { ...base, '/usr/bin/supervisord': busybox, '/etc/supervisord.conf': conf }
  assert.equal((await findingsOf(supervisordRule, files, { entrypoint: ['supervisord'] })).length, 1000)
})
