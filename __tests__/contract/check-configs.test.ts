import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { partsBin } from '../../script/parts/paths.ts'
import { rules } from '../../src/check/rules.ts'
import { debLayers, dockerArchive, inspectedArchive } from '../harness/docker-image.ts'
import { startDockerd } from '../harness/dockerd.ts'
import { type Files, membersOf } from '../harness/inspected.ts'
import { Machine } from '../harness/machine.ts'
import { writeTar } from '../harness/tar-writer.ts'

const skip = Machine.unavailable() ?? Machine.withoutContainers()
const store = '/nix/store/00000000000000000000000000000000-'
const machine = skip === false ? await Machine.create({ user: 'root' }) : undefined
const docker = machine && (await startDockerd(machine))
after(() => machine?.dispose())
/** Layers that Docker has. */
const loaded = new Set<Buffer>()

type Case = {
  readonly layers: readonly Buffer[]
  readonly files: Files
  readonly config: object
  /** Each as `rule severity place`. */
  readonly findings: readonly string[]
  /** What the container says, started for real. */
  readonly says: RegExp
}

/** Inspects an image, then starts it. */
async function agree(t: TestContext, name: string, { layers, files, config, findings, says }: Case) {
  await t.test(name, async () => {
    const all = [...layers, writeTar(membersOf(files))]
    await using made = await inspectedArchive(dockerArchive(name, all, config))
    const found = rules.flatMap(rule => [...rule.inspect(made.subject)])
    assert.deepEqual(
      found.map(({ rule, severity, place }) => `${rule} ${severity} ${place}`),
      findings,
    )
    if (machine === undefined || docker === undefined) throw new Error('there is no machine')
    // Docker does not look for the layers that it has.
    const sent = all.filter(layer => !loaded.has(layer))
    for (const layer of all) loaded.add(layer)
    await machine.plant('/root/image.tar', dockerArchive(name, all, config, sent))
    await docker('load', '--quiet', '--input', '/root/image.tar')
    assert.match(await output(machine, name, says), says)
  })
}

/** What a container says, until it has ended or has said it. */
async function output(machine: Machine, name: string, says: RegExp): Promise<string> {
  let said = ''
  const heard = Promise.withResolvers<void>()
  const listen = (chunk: string) => {
    said += chunk
    if (says.test(said)) heard.resolve()
  }
  const run = [join(partsBin, 'docker'), 'run', '--name', name, '--network=none', name]
  const job = machine.start(run, { as: 'root', onStdout: listen, onStderr: listen })
  await Promise.race([heard.promise, job.done])
  await docker?.('rm', '--force', name)
  await job.done
  return said
}

const shell: Files = {
  '/bin/busybox': { data: skip === false ? readFileSync(join(partsBin, 'busybox')) : '', mode: 0o755 },
  '/bin/sh': { link: 'busybox' },
}

test('supervisord does what the findings say', { skip }, async t => {
  const layers = debLayers(
    ['python3', 'supervisor', 'python3-pkg-resources'],
    /^(?:libc6|zlib1g|libexpat1|(?:lib)?python3|supervisor)/,
  )
  const xvfb = `${store}xorg-server-21.1.13/bin/Xvfb`
  const files: Files = {
    ...shell,
    '/usr/bin/python3': { link: python(layers) },
    [xvfb]: '#!/bin/sh\nexec /bin/busybox sleep 1000\n',
  }
  const config = {
    Entrypoint: ['/usr/bin/supervisord', '-nc', '/etc/supervisord.conf'],
    Env: ['PATH=/usr/bin:/bin'],
  }
  const desktop = (conf: string, more: Files = {}) => ({
    layers,
    files: { ...files, '/etc/supervisord.conf': conf, ...more },
    config,
  })
  const program = (command: string) => `[supervisord]\n[program:xvfb]\ncommand=${command}\nstartretries=0\n`
  const [tmp, noTmp] = [{ '/tmp/': { mode: 0o1777 } }, 'tmp warning /tmp']

  await agree(t, 'unknown-user', {
    ...desktop(`${program(xvfb)}user=app\n`, tmp),
    findings: ['supervisord error /etc/supervisord.conf:5'],
    says: /Error: Invalid user name app in section 'program:xvfb'/,
  })
  await agree(t, 'socket-in-tmp', {
    ...desktop(`[unix_http_server]\nfile=/tmp/supervisor.sock\n${program(xvfb)}`),
    findings: ['tmp error /tmp'],
    says: /Cannot open an HTTP server: socket.error reported errno.ENOENT/,
  })
  await agree(t, 'log-folder', {
    ...desktop(`${program(xvfb)}stdout_logfile=/var/log/desktop/xvfb.log\n`, tmp),
    findings: ['supervisord error /etc/supervisord.conf:5'],
    says: /Error: The directory named as part of the path \/var\/log\/desktop\/xvfb.log does not exist/,
  })
  await agree(t, 'pid-folder', {
    ...desktop(program(xvfb).replace(']', ']\npidfile=/run/supervisord.pid'), tmp),
    findings: ['supervisord warning /etc/supervisord.conf:2'],
    says: /Error: The directory named as part of the path \/run\/supervisord.pid does not exist/,
  })
  await agree(t, 'no-section', {
    ...desktop('[program:xvfb]\ncommand=x\n', tmp),
    findings: ['supervisord error /etc/supervisord.conf', 'supervisord error /etc/supervisord.conf:2'],
    says: /\.ini file does not include supervisord section/,
  })
  await agree(t, 'no-setting', {
    ...desktop(`${program(xvfb)}what is this\n`, tmp),
    findings: ['supervisord error /etc/supervisord.conf:5'],
    says: /contains parsing errors/,
  })
  const one = (name: string, ...lines: string[]) =>
    [`[program:${name}]`, ...lines, 'startretries=0', ''].join('\n')
  await agree(t, 'programs', {
    ...desktop('[supervisord]\n[include]\nfiles = conf.d/*.conf\n', {
      ...tmp,
      '/etc/conf.d/a.conf': one('missing', 'command=/usr/bin/Xvfb :99'),
      '/etc/conf.d/b.conf': one('elsewhere', 'command=Xvfb :99'),
      '/etc/conf.d/c.conf': one('comment', `command=/bin/sh -c 'echo a ; exec ${xvfb}'`),
      '/etc/conf.d/d.conf': one(
        'folder',
        `command=${xvfb}`,
        'directory=/data',
        'stderr_logfile=/dev/fd/1',
        'stderr_logfile_maxbytes=0',
      ),
      '/etc/conf.d/e.ini': one('other', 'command=/usr/bin/other'),
    }),
    findings: [
      'supervisord error /etc/conf.d/a.conf:2',
      'supervisord error /etc/conf.d/b.conf:2',
      'supervisord error /etc/conf.d/c.conf:2',
      'supervisord warning /etc/conf.d/d.conf:3',
    ],
    says: all(
      /can't find command '\/usr\/bin\/Xvfb'/,
      /missing entered FATAL state/,
      /can't find command 'Xvfb'/,
      /elsewhere entered FATAL state/,
      /can't parse command/,
      /comment entered FATAL state/,
      /couldn't chdir to \/data: ENOENT/,
      /folder entered FATAL state/,
    ),
  })
  await agree(t, 'without-tmp', {
    ...desktop(
      `${program('Xvfb :99 ; the screen').replace(']', `]\nenvironment=PATH=${xvfb.replace('/Xvfb', '')}`)}startsecs=0\n`,
    ),
    findings: [noTmp],
    says: /xvfb entered RUNNING state/,
  })
  await agree(t, 'repaired', {
    ...desktop(
      `; all there
[supervisord]
environment=SCREEN=":99"
[program:xvfb]
command=${xvfb}
   %(ENV_SCREEN)s # here
startsecs=0
user=app
directory=%(here)s
stdout_logfile=/tmp/x.log
[program:named]
command=Xvfb
environment=A="b,c",PATH="${xvfb.replace('/Xvfb', '')}"
startsecs=0
`,
      { ...tmp, '/etc/passwd': 'root:x:0:0::/root:/bin/sh\napp:x:1000:1000::/:/bin/sh\n' },
    ),
    findings: [],
    says: all(/xvfb entered RUNNING state/, /named entered RUNNING state/),
  })
})

/** Matches a text in which all of these are, in whatever order. */
function all(...parts: readonly RegExp[]): RegExp {
  return new RegExp(`^${parts.map(({ source }) => `(?=[\\s\\S]*${source})`).join('')}`)
}

/** The Python that this distribution has. */
function python(layers: readonly Buffer[]): string {
  const names = layers.map(layer => /usr\/bin\/(python3\.\d+)\0/.exec(layer.toString('latin1'))?.[1])
  return names.find(name => name !== undefined) ?? 'python3'
}

test('nginx does what the findings say', { skip }, async t => {
  const layers = debLayers(['nginx'])
  const config = { Cmd: ['nginx', '-g', 'daemon off;'], Env: ['PATH=/usr/sbin'] }
  const conf = 'error_log stderr notice;\nevents {}\nhttp {\n  server { listen 8080; }\n}\n'
  const nobody: Files = {
    '/etc/passwd': 'root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n',
    '/etc/group': 'root:x:0:\nnobody:x:65534:\nnogroup:x:65534:\n',
  }
  const places: Files = {
    '/var/lib/nginx/': '',
    '/var/log/nginx/': '',
    '/run/': '',
    '/tmp/': { mode: 0o1777 },
  }
  const server = (text: string, more: Files) => ({
    layers,
    files: { '/etc/nginx/nginx.conf': text, ...more },
    config,
  })

  await agree(t, 'nobody', {
    ...server(conf, places),
    findings: ['nginx error /etc/nginx/nginx.conf'],
    says: /\[emerg\].*getpwnam\("nobody"\) failed/,
  })
  await agree(t, 'nginx-user', {
    ...server(`user www;\n${conf}`, { ...places, ...nobody }),
    findings: ['nginx error /etc/nginx/nginx.conf:1'],
    says: /\[emerg\].*getpwnam\("www"\) failed/,
  })
  await agree(t, 'nginx-group', {
    ...server(`user nobody www;\n${conf}`, { ...places, ...nobody }),
    findings: ['nginx error /etc/nginx/nginx.conf:1'],
    says: /\[emerg\].*getgrnam\("www"\) failed/,
  })
  await agree(t, 'nginx-include', {
    ...server(conf.replace('server', 'include mime.types;\n  include sites/*;\n  server'), {
      ...places,
      ...nobody,
    }),
    findings: ['nginx error /etc/nginx/nginx.conf:4'],
    says: /\[emerg\].*open\(\) "\/etc\/nginx\/mime.types" failed/,
  })
  await agree(t, 'nginx-module', {
    ...server(`load_module /usr/lib/nginx/modules/x.so;\n${conf}`, { ...places, ...nobody }),
    findings: ['nginx error /etc/nginx/nginx.conf:1'],
    says: /\[emerg\].*dlopen\(\) "\/usr\/lib\/nginx\/modules\/x.so" failed/,
  })
  await agree(t, 'nginx-log', {
    ...server(conf.replace('listen', 'access_log /srv/log/a.log; listen'), { ...places, ...nobody }),
    findings: ['nginx error /etc/nginx/nginx.conf:4'],
    says: /\[emerg\].*open\(\) "\/srv\/log\/a.log" failed/,
  })
  const { '/tmp/': _, ...withoutTmp } = places
  await agree(t, 'nginx-uploads', {
    ...server(conf.replace('server', 'client_body_temp_path /tmp/body;\n  server'), {
      ...withoutTmp,
      ...nobody,
    }),
    findings: ['tmp error /tmp'],
    says: /\[emerg\].*mkdir\(\) "\/tmp\/body" failed/,
  })
  await agree(t, 'nginx-repaired', {
    ...server(conf.replace('server', 'include /etc/nginx/conf.d/*.conf;\n  server'), {
      ...places,
      ...nobody,
    }),
    findings: [],
    says: /start worker processes/,
  })
})

for (const [name, command, sample] of [
  ['s6-svscan', ['/usr/bin/s6-svscan', '/services'], 's6'],
  ['runsvdir', ['/usr/bin/runsvdir', '-P', '/services'], 'runit'],
] as const) {
  test(`${name} does what the findings say`, { skip }, async t => {
    const layers = debLayers([sample])
    const config = { Entrypoint: command, Env: ['PATH=/usr/bin:/bin'] }
    const image = (run: string | { data: string; mode: number }) => ({
      layers,
      files: { ...shell, '/tmp/': { mode: 0o1777 }, '/services/web/run': run },
      config,
    })
    await agree(t, `${name}-interpreter`, {
      ...image('#!/bin/bash\nexec /bin/busybox sleep 1000\n'),
      findings: ['shebang error /services/web/run'],
      says: /[Nn]o such file|file does not exist/,
    })
    await agree(t, `${name}-mode`, {
      ...image({ data: '#!/bin/sh\nexec /bin/busybox sleep 1000\n', mode: 0o644 }),
      findings: ['services error /services/web/run'],
      says: /[Pp]ermission denied|access denied/,
    })
    await agree(t, `${name}-program`, {
      ...image('#!/bin/sh -e\n# The web server.\nexport PORT=80\nexec /usr/sbin/httpd -p 80 2>&1\n'),
      findings: ['services error /services/web/run:4'],
      says: /\/usr\/sbin\/httpd: not found/,
    })
    await agree(t, `${name}-repaired`, {
      ...image('#!/bin/sh -e\necho it runs >&2\nexec /bin/busybox sleep 1000\n'),
      findings: [],
      says: /it runs/,
    })
  })
}

test('a container engine needs the place of its own files', { skip }, async t => {
  const config = { Entrypoint: ['/bin/sh', '-c', 'echo it runs'] }
  const image = (more: Files) => ({
    layers: [],
    files: { ...shell, '/tmp/': { mode: 0o1777 }, ...more },
    config,
  })
  await agree(t, 'hosts-folder', {
    ...image({ '/etc/hosts/': '' }),
    findings: ['hosts error /etc/hosts'],
    says: /error mounting .* to rootfs at "\/etc\/hosts"[\s\S]*not a directory/,
  })
  await agree(t, 'hosts-dangling', {
    ...image({
      '/etc/hosts': { link: '/nix/store/gone' },
      '/etc/resolv.conf': { link: '../run/resolv.conf' },
    }),
    findings: [],
    says: /it runs/,
  })
})
