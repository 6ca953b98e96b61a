import assert from 'node:assert/strict'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { Nix } from '../../src/nix/model.ts'
import { openSandbox, renderProfile } from '../../src/nix/sandbox.ts'

/*
 * The kernel's rule and its parser are stood in for by a file and a program: `nix-build` works here only once a
 * profile was loaded, as it is where AppArmor forbids user namespaces to all others.
 */
let folder: string
let nix: Nix
const why = 'cannot perform a sandboxed build because user namespaces are not enabled'
const program = '/nix/store/hash-nix-2.0/bin/nix'

async function plant(name: string, script: string): Promise<void> {
  await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`)
  await chmod(join(folder, name), 0o755)
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sandbox-'))
  const env = { PATH: `${folder}:/usr/bin:/bin`, FOLDER: folder }
  nix = { version: '2.34.8', bin: folder, system: 'x86_64-linux', env }
  await plant('nix-store', '')
  await plant(
    'nix-build',
    `echo built >> "$FOLDER/builds"; test -e "$FOLDER/loaded" || { echo "error: ${why}" >&2; exit 1; }`,
  )
  await plant('become-root', 'echo "$*" >> "$FOLDER/commands"; exec "$@"')
})
after(() => rm(folder, { recursive: true }))

async function open(restricted: string, root = true) {
  for (const file of ['builds', 'commands', 'loaded', 'apparmor-profile'])
    await rm(join(folder, file), { force: true })
  const restriction = join(folder, 'restriction')
  await writeFile(restriction, restricted)
  return openSandbox(nix, {
    ...{ program, withoutBuildUsers: false, temp: folder, salt: 'x', restriction },
    asRoot: async () => (root ? [join(folder, 'become-root')] : undefined),
  })
}
const read = (name: string) => readFile(join(folder, name), 'utf8').catch(() => '')

test('where AppArmor forbids it, a profile for the one program is loaded and the sandbox tried again', async () => {
  await plant('apparmor_parser', 'cat "$2" > "$FOLDER/loaded"')
  assert.deepEqual(await open('1\n'), { on: true, keepGroups: false, warning: undefined })
  assert.equal(await read('commands'), `apparmor_parser --replace ${folder}/apparmor-profile\n`)
  assert.equal(await read('loaded'), renderProfile(program))
  assert.match(
    renderProfile(program),
    /^profile nix-image-action-[0-9a-f]{16} "\/nix\/store\/hash-nix-2\.0\/bin\/nix" flags=\(unconfined\) \{\n {2}userns,\n\}$/m,
  )
})

test('where it is not AppArmor, or nobody can become root, nothing is loaded', async () => {
  for (const result of [await open('0\n'), await open('1\n', false)]) {
    assert.equal(result.on, false)
    assert.match(result.warning ?? '', new RegExp(`${why}\\. They.*Allow unprivileged.*sandbox = false`))
    assert.equal(await read('commands'), '')
    assert.equal(await read('builds'), 'built\n')
  }
})

test('where Nix cannot drop its groups it keeps them, and only there', async () => {
  const groups =
    'setgroups failed. Set the require-drop-supplementary-groups option to false to skip this step.'
  const keeps = `case "$*" in *"--option require-drop-supplementary-groups false"*) ;; *) echo "error: ${groups}" >&2; exit 1; esac`
  const before = await readFile(join(folder, 'nix-build'), 'utf8')
  try {
    await plant('nix-build', keeps)
    assert.deepEqual(await open('0\n', false), { on: true, keepGroups: true, warning: undefined })
    // When that is not enough, its reason is told: once, and with advice that fits.
    await plant('nix-build', `${keeps}\necho "error: something else." >&2; exit 1`)
    const { on, keepGroups, warning } = await open('1\n')
    assert.deepEqual([on, keepGroups], [false, false])
    assert.equal(
      warning,
      "Builds run without Nix's sandbox on this machine: something else. They can see the machine's files and network. Set `sandbox = false` in nix-conf to accept it.",
    )
    assert.equal(await read('commands'), '', 'no profile was loaded')
  } finally {
    await writeFile(join(folder, 'nix-build'), before)
  }
})

test('a profile that cannot be loaded is told with its reason', async () => {
  await plant('apparmor_parser', 'echo "Permission denied" >&2; exit 1')
  const result = await open('1\n')
  assert.equal(result.on, false)
  assert.match(result.warning ?? '', /could not be loaded: Permission denied/)
  assert.equal(await read('builds'), 'built\n')
})
