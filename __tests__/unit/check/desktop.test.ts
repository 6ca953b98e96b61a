import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { partsBin } from '../../../script/parts/paths.ts'
import { rules } from '../../../src/check/rules.ts'
import { type Files, inspected } from '../../harness/inspected.ts'

const supervisor = '/nix/store/00000000000000000000000000000000-supervisor-4.2.5'
const xorg = '/nix/store/11111111111111111111111111111111-xorg-server-21.1.13'
const openbox = '/nix/store/22222222222222222222222222222222-openbox-3.6.1'
const program = { data: '#!/bin/sh\n', mode: 0o755 }

const packages: Files = {
  [`${supervisor}/bin/supervisord`]: program,
  [`${xorg}/bin/Xvfb`]: program,
  [`${openbox}/bin/openbox`]: program,
  '/bin/sh': readFileSync(join(partsBin, 'busybox')),
}
const config = (programs: string) => `; a desktop
[unix_http_server]
file = /tmp/supervisor.sock

[supervisord]
nodaemon=true
logfile=/dev/null
pidfile=/run/supervisord.pid

${programs}`

test('a desktop whose programs are where Debian has them: what a person would say, and no more', async () => {
  const files = {
    ...packages,
    '/etc/passwd': 'root:x:0:0::/root:/bin/sh\n',
    '/etc/supervisord.conf': config(`[program:xvfb]
command=/usr/bin/Xvfb :99 -screen 0 1280x720x24
user=desktop

[program:openbox]
command=/usr/bin/openbox --startup "/usr/lib/openbox autostart"
environment=DISPLAY=":99",HOME="/home/desktop"
user=desktop

[program:vnc]
command=x11vnc -display :99
autostart=false
`),
  }
  await using image = await inspected(files, {
    entrypoint: [`${supervisor}/bin/supervisord`, '-c', '/etc/supervisord.conf'],
    env: { PATH: `${supervisor}/bin` },
  })
  const findings = rules.flatMap(rule => [...rule.inspect(image.subject)])
  assert.deepEqual(findings, [
    {
      rule: 'supervisord',
      severity: 'warning',
      place: '/etc/supervisord.conf:8',
      why: 'The directory `/run` is not in the image, and supervisord ends when it cannot put its files there.',
      fix: 'Make it: `extraCommands = "mkdir -p run"` of `dockerTools`.',
    },
    {
      rule: 'supervisord',
      severity: 'error',
      place: '/etc/supervisord.conf:12',
      why: "The user `desktop` is not in the image's /etc/passwd: supervisord ends with `Error: Invalid user name` and starts nothing.",
      fix: 'Add it: `(pkgs.dockerTools.fakeNss.override { extraPasswdLines = [ "desktop:x:1000:1000::/home/desktop:/bin/sh" ]; })`, with its group in `extraGroupLines`.',
    },
    {
      rule: 'supervisord',
      severity: 'error',
      place: '/etc/supervisord.conf:11',
      why: "The image has no `/usr/bin/Xvfb`: `no such file or directory`. supervisord goes on without `program:xvfb`: `can't find command`, then `FATAL`.",
      fix: `Write \`\${pkg}/bin/Xvfb\` in place of \`/usr/bin/Xvfb\`, with the package \`xorg-server-21.1.13\`: the image has ${xorg}/bin/Xvfb.`,
    },
    {
      rule: 'supervisord',
      severity: 'error',
      place: '/etc/supervisord.conf:15',
      why: "The image has no `/usr/bin/openbox`: `no such file or directory`. supervisord goes on without `program:openbox`: `can't find command`, then `FATAL`.",
      fix: `Write \`\${pkg}/bin/openbox\` in place of \`/usr/bin/openbox\`, with the package \`openbox-3.6.1\`: the image has ${openbox}/bin/openbox.`,
    },
    {
      rule: 'supervisord',
      severity: 'warning',
      place: '/etc/supervisord.conf:20',
      why: `No \`x11vnc\` that can be run is in PATH, \`${supervisor}/bin\`: \`not found\`. supervisord goes on without \`program:vnc\`: \`can't find command\`, then \`FATAL\`.`,
      fix: `Add the package that has \`x11vnc\`, and write \`\${pkg}/bin/x11vnc\` in place of \`x11vnc\`: so Nix puts it into the image, too.`,
    },
    {
      rule: 'tmp',
      severity: 'error',
      place: '/tmp',
      why: 'The image has no directory /tmp, and /etc/supervisord.conf:3 puts a file there, without which what is started ends.',
      fix: 'Make it: `extraCommands = "mkdir -m 1777 tmp"` of `dockerTools`, or `mkdir -p $out/tmp` with `perms` in nix2container.',
    },
  ])
})

test('the same desktop as Nix would have it: nothing to say', async () => {
  const files = {
    ...packages,
    '/tmp/': { mode: 0o1777 },
    '/run/': '',
    '/home/desktop/': { uid: 1000, gid: 1000 },
    '/etc/passwd': 'root:x:0:0::/root:/bin/sh\ndesktop:x:1000:1000::/home/desktop:/bin/sh\n',
    '/etc/supervisord.conf': config(`[program:xvfb]
command=${xorg}/bin/Xvfb :99 -screen 0 1280x720x24
user=desktop

[program:openbox]
command=openbox --startup /usr/lib/openbox/openbox-autostart
environment=DISPLAY=":99",PATH="${openbox}/bin"
user=desktop
`),
  }
  await using image = await inspected(files, {
    entrypoint: [`${supervisor}/bin/supervisord`, '-c', '/etc/supervisord.conf'],
    env: { PATH: `${supervisor}/bin` },
  })
  const findings = rules.flatMap(rule => [...rule.inspect(image.subject)])
  assert.deepEqual(findings, [])
})
