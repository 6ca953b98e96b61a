import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileRules } from '../../../src/check/file-rules.ts'
import { type Files, inspected } from '../../harness/inspected.ts'

const elf = '#!/bin/sh\n'
const files: Files = {
  '/nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-supervisor-4.2.5/bin/supervisord': elf,
  '/nix/store/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-xorg-server-21.1/bin/Xvfb': elf,
  '/nix/store/cccccccccccccccccccccccccccccccc-openbox-3.6/bin/openbox': elf,
  '/bin/sh': { link: '/bin/busybox' },
  '/bin/busybox': { data: '\x7fELF', mode: 0o755 },
  '/etc/passwd': 'root:x:0:0::/root:/bin/sh\n',
  '/etc/supervisord.conf': `[supervisord]
nodaemon=true

[program:xvfb]
command=/usr/bin/Xvfb :99 -screen 0 1280x720x24
autorestart=true

[program:openbox]
command=/usr/bin/openbox --startup /usr/lib/openbox/openbox-autostart
user=app
environment=DISPLAY=":99"
`,
}
test('x', async () => {
  await using image = await inspected(files, { entrypoint: ['/nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-supervisor-4.2.5/bin/supervisord', '-c', '/etc/supervisord.conf'] })
  for (const rule of fileRules) for (const f of rule.inspect(image.subject)) console.log(JSON.stringify(f, null, 1))
})
