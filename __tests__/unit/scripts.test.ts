import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'

const root = join(import.meta.dirname, '../..')

/** The scripts in a folder of their own, and a folder of programs that are all there is besides bash's own. */
function copy(t: TestContext, programs: Readonly<Record<string, string>>) {
  const folder = mkdtempSync(join(tmpdir(), 'scripts-'))
  t.after(() => rmSync(folder, { recursive: true }))
  cpSync(join(root, 'script'), join(folder, 'script'), { recursive: true })
  writeFileSync(join(folder, 'package-lock.json'), 'wanted')
  const bin = join(folder, 'bin')
  for (const place of [bin, join(folder, 'node_modules/.bin')]) mkdirSync(place, { recursive: true })
  const plant = (place: string, name: string, script: string) =>
    writeFileSync(join(place, name), `#!/bin/bash\n${script}\n`, { mode: 0o755 })
  // There is nothing here that it could compile.
  plant(join(folder, 'script'), 'encoder', '')
  for (const name of ['bash', 'cat', 'cmp', 'cp', 'dirname', 'sed', 'mkfifo'])
    symlinkSync(execFileSync('which', [name], { encoding: 'utf8' }).trim(), join(bin, name))
  for (const [name, script] of Object.entries(programs)) plant(bin, name, script)
  const run = (command: string, env: Readonly<Record<string, string>> = {}) => {
    const [script = '', ...args] = command.split(' ')
    const child = spawn('/bin/bash', [join(folder, 'script', script), ...args], {
      env: { PATH: bin, HOME: folder, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const ended = Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)])
    return ended.then(([[code], stdout, stderr]) => ({ code, stdout, stderr }))
  }
  return { folder, run, plant }
}

test('all programs that are missing are named at once, with their packages', async t => {
  const { run } = copy(t, { node: '', git: '', 'apt-get': '', dpkg: '', mount: '', unshare: '' })
  const { code, stdout, stderr } = await run('test')
  assert.deepEqual([code, stdout], [1, ''])
  assert.equal(
    stderr,
    `This needs programs that are not on this machine: npm tar xz ps nsenter setpriv apt-cache apt-config dpkg-deb
They are in these packages of Debian and Ubuntu: apt-get install npm tar xz-utils procps util-linux apt dpkg
`,
  )
  const other = copy(t, { node: '', npm: '' })
  assert.match((await other.run('demo')).stderr, /: git tar .*dpkg-deb\nIt works on Debian and Ubuntu/)
  // What makes no machine needs none of it: it gets as far as installing.
  assert.match((await other.run('check')).stdout, /^── Installing the npm packages/)
})

test('who waits for npm is told for what, and that it failed', async t => {
  const npm = `
if [ "$1" = config ]; then echo 'https://user:secret@registry.test/npm/'; exit; fi
echo "notifier: $NPM_CONFIG_UPDATE_NOTIFIER"
read -r < "$HOME/gate"
exit "$(cat "$HOME/code")"`
  const { folder, run } = copy(t, { node: '', npm })
  writeFileSync(join(folder, 'code'), '3')
  execFileSync('mkfifo', [join(folder, 'gate')])
  // npm is held until it was waited for: the gate opens by the words.
  const opener = `exec > >(while read -r line; do echo "$line"; [[ $line != *'at work'* ]] || echo > "$HOME/gate"; done)`
  writeFileSync(join(folder, 'script/waiting'), `${opener}\nsource "$(dirname "$0")/setup"\necho "set up"\n`)
  const failed = await run('waiting', { SETUP_PATIENCE: '1' })
  assert.match(failed.stdout, /^notifier: false$/m)
  assert.match(
    failed.stdout,
    /^npm has been at work for 1 s\. It fetches from https:\/\/registry\.test\/npm\/,/m,
  )
  assert.match(failed.stderr, /could not be installed; npm says why above/)
  assert.equal(failed.code, 1)
  assert.doesNotMatch(failed.stdout, /secret|set up/)

  writeFileSync(join(folder, 'code'), '0')
  const worked = await run('waiting', { SETUP_PATIENCE: '1' })
  assert.match(worked.stdout, /^set up$/m)
  assert.equal(readFileSync(join(folder, 'node_modules/.installed-lock'), 'utf8'), 'wanted')
  const again = await run('waiting')
  assert.deepEqual([again.code, again.stdout], [0, 'set up\n'])
})

test('script/check runs all its parts, then says which failed', async t => {
  const { folder, run, plant } = copy(t, { node: '', npm: '' })
  const installed = join(folder, 'node_modules')
  writeFileSync(join(installed, '.installed-lock'), 'wanted')
  for (const name of ['biome', 'tsc', 'node']) plant(join(installed, '.bin'), name, `echo "${name} $*"`)
  const well = await run('check')
  assert.deepEqual([well.code, well.stderr], [0, ''])
  plant(join(installed, '.bin'), 'biome', 'exit 1')
  plant(join(installed, '.bin'), 'node', '[ "$2" != --check ]')
  const ill = await run('check')
  assert.equal(ill.code, 1)
  assert.match(ill.stdout, /── Lint\n── Types\ntsc \n── Workflows\n── dist\/ is current\n/)
  assert.equal(ill.stderr, '── Failed: Lint\n── Failed: dist/ is current\n')
})

test('script/test checks before all tests, and does not before those that it is given', async t => {
  const system = ['git', 'tar', 'xz', 'ps', 'mount', 'unshare', 'nsenter', 'setpriv', 'dpkg', 'dpkg-deb']
  const names = ['node', 'npm', 'apt-get', 'apt-cache', 'apt-config', ...system]
  const { folder, run, plant } = copy(t, {
    ...Object.fromEntries(names.map(name => [name, ''])),
    nproc: 'echo 2',
  })
  const installed = join(folder, 'node_modules')
  writeFileSync(join(installed, '.installed-lock'), 'wanted')
  plant(join(folder, 'script'), 'as-root', 'shift $(($# - 1)); echo "as root: $1"')
  for (const name of ['biome', 'tsc', 'node']) plant(join(installed, '.bin'), name, `echo "${name} $*"`)
  const all = await run('test')
  assert.equal(all.code, 0)
  assert.match(all.stdout, /── Lint\n.*as root: __tests__\/\*\*\/\*\.test\.ts\n$/s)

  plant(join(installed, '.bin'), 'biome', 'exit 1')
  const ill = await run('test')
  assert.deepEqual([ill.code, ill.stdout.includes('as root')], [1, false])
  assert.match(ill.stderr, /Failed: Lint\n── No test was run\./)
  const some = await run('test some.test.ts')
  assert.deepEqual([some.code, some.stderr], [0, ''])
  assert.match(some.stdout, /^node script\/build\.ts --check\n.*as root: some\.test\.ts\n$/s)
  assert.doesNotMatch(some.stdout, /Lint|tsc/)

  plant(join(installed, '.bin'), 'node', '[ "$2" != --check ]')
  const stale = await run('test some.test.ts')
  assert.match(stale.stderr, /run dist\/ as it is/)
  assert.match(stale.stdout, /as root: some\.test\.ts\n$/)
})
