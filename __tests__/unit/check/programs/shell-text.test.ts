import assert from 'node:assert/strict'
import { test } from 'node:test'
import { firstCommand, lastExec } from '../../../../src/check/programs/shell-text.ts'

const certain = (...argv: string[]) => ({ argv, isCertain: true })
const perhaps = (...argv: string[]) => ({ argv, isCertain: false })

const texts: Readonly<Record<string, ReturnType<typeof firstCommand>>> = {
  'redis-server --port 6379': certain('redis-server', '--port', '6379'),
  '  exec /bin/app "a b"  ': certain('/bin/app', 'a b'),
  'exec app --port $PORT --then x': certain('app', '--port'),
  'A=1 B="$C" app': certain('app'),
  'migrate && exec app': certain('migrate'),
  'app;': certain('app'),
  'curl -f http://localhost || exit 1': certain('curl', '-f', 'http://localhost'),
  'curl -f localhost >/dev/null 2>&1 || exit 1': certain('curl', '-f', 'localhost'),
  'app; true': perhaps('app'),
  'app | tee /log': perhaps('app'),
  'app &\nwait': perhaps('app'),
  'app || true': undefined,
  'app || other || exit 1': undefined,
  'PATH=/opt app': undefined,
  'LD_LIBRARY_PATH=/opt app': undefined,
  'cd /app && ./run': undefined,
  'chdir /app && ./run': undefined,
  '. /env && app': undefined,
  'exec "$@"': undefined,
  '$APP --x': undefined,
  '"$HOME"/bin/app': undefined,
  '~/bin/app': undefined,
  '`which app`': undefined,
  '$(which app)': undefined,
  '{ app; }': undefined,
  '(app)': undefined,
  '! app': undefined,
  'if app; then x; fi': undefined,
  'for a in b; do app; done': undefined,
  'app() { true; }': undefined,
  'exec -a x app': undefined,
  'app <in': undefined,
  "app 'not closed": undefined,
  '# app': undefined,
  '': undefined,
}

for (const [text, command] of Object.entries(texts))
  test(`of a shell's text: ${JSON.stringify(text)}`, () => assert.deepEqual(firstCommand(text), command))

const scripts: Readonly<Record<string, ReturnType<typeof lastExec>>> = {
  'exec "/bin/app"  "$@"': certain('/bin/app', 'x', 'y'),
  'exec /bin/app --a $B "$@"': certain('/bin/app', '--a'),
  'exec "$@"': certain('x', 'y'),
  'set -euo pipefail\nexport A=\'b c\'\nB=${C:+d}\nunset D\n\n# why\nexec -a "$0" "/bin/app" "$@"': certain(
    '/bin/app',
    'x',
    'y',
  ),
  'if true; then exit; fi\nexec /bin/app': perhaps('/bin/app'),
  'A=1 other\nexec /bin/app': perhaps('/bin/app'),
  'A=$(other)\nexec /bin/app': perhaps('/bin/app'),
  'set -- app "$@"\nexec "$@"': undefined,
  'shift\nexec "$@"': undefined,
  'exec "$APP"': undefined,
  'exec /bin/app &': undefined,
  'exec >/log': undefined,
  '/bin/app "$@"': undefined,
  '  exec /bin/app\nfi': undefined,
  '': undefined,
}

for (const [script, command] of Object.entries(scripts))
  test(`of a script: ${JSON.stringify(script)}`, () =>
    assert.deepEqual(lastExec(`#!/bin/sh\n${script}\n`, ['x', 'y']), command))

test('an option is no program that a script could become', () => {
  assert.equal(lastExec('#!/bin/sh\nexec "$@"', ['--port', '1']), undefined)
  assert.equal(lastExec('#!/bin/sh\nexec "$@"', []), undefined)
})

test('texts that are made to take long do not', () => {
  const line = `A=${'$'.concat('{a}').repeat(1000)}(`
  assert.deepEqual(lastExec(`#!/bin/sh\n${line}\nexec /bin/app\n`, []), perhaps('/bin/app'))
  assert.equal(firstCommand(`app${' '.repeat(1_000_000)}(`), undefined)
})
