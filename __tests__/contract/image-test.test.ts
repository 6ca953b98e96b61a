import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { partsBin } from '../../script/parts/paths.ts'
import { startDockerd } from '../harness/dockerd.ts'
import { Machine } from '../harness/machine.ts'
import { expect } from '../harness/nix-by-hand.ts'
import { setUpPodman } from '../harness/podman.ts'

const skip = { skip: Machine.withoutUsers() || Machine.withoutContainers() }
const driver = join(import.meta.dirname, 'drivers/test-image.ts')

type Outcome = {
  readonly said: readonly string[]
  readonly failure?: { readonly message: string; readonly detail?: string; readonly advice: string }
  readonly tested?: { readonly with: string; readonly lines: readonly string[] }
}

/** An image of busybox, a program without its interpreter and one that may not be executed, imported by an engine. */
const sample = `
  mkdir -p /tmp/image/bin /tmp/image/tmp && cp "$(which busybox)" /tmp/image/bin
  for name in sh sleep yes env nc; do ln -s busybox /tmp/image/bin/$name; done
  printf '#!/nowhere/sh\\n' >/tmp/image/bin/uninterpreted && chmod 755 /tmp/image/bin/uninterpreted
  printf 'MZ' >/tmp/image/bin/foreign && chmod 755 /tmp/image/bin/foreign
  tar -C /tmp/image -c . | "$0" import --change 'ENV PATH=/bin' --change 'VOLUME /data' \\
    --change 'CMD ["sh", "-c", "echo as it is; nc -ll -p 7000 -e true"]' - localhost/sample >&2
`

function outcomes(stdout: string): Outcome[] {
  return stdout
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line))
}

/**
 * In front of an engine: says where it keeps what a container prints before that goes away, and is a `docker` that is
 * Podman where that is the engine.
 */
const watched = `#!/bin/sh
for last; do :; done
[ "$1" != rm ] || ENGINE inspect --format 'log: {{.HostConfig.LogConfig.Type}}' "$last" >>/tmp/logs
exec ENGINE "$@"
`

/** What no test may leave behind. */
const left = '"$0" ps --all --quiet; "$0" volume ls --quiet'

const passes: readonly (readonly [string, RegExp])[] = [
  ['busybox true', /^Test: busybox true\n/],
  ["sh -c 'echo one; echo two >&2'\nbusybox echo three", /one\n(.*\n)*three/],
  ['start:\nwait: port 7000', /^as it is$/m],
  [
    "start: sh -c 'echo given; sleep 1000'\nwait: log given\nrun: busybox echo probed",
    /given\n(.*\n)*probed\n/,
  ],
  // What was printed before it is waited for.
  ["start: sh -c 'echo up; nc -ll -p 80 -e true'\nwait: port 80\nwait: log up", /wait: log up/],
]

const fails: readonly (readonly [string, RegExp])[] = [
  [
    'nosuch',
    /^The test failed: `nosuch` could not be started: there is no executable of this name in the image/,
  ],
  ['/bin', /`\/bin` could not be started: it is there, and the user of the config may not execute it/],
  ['uninterpreted', /`uninterpreted` could not be started: the interpreter in its first line/],
  ['foreign', /`foreign` could not be started: it is for another kind of machine/],
  ["sh -c 'exit 3'", /`sh -c 'exit 3'` ended with 3\.$/],
  ["sh -c 'nosuch'", /ended with 127: a program was not found\.$/],
  [`sh -c 'sh -c "kill -SEGV \\$\\$"; exit $?'`, /ended with 139: it crashed \(SIGSEGV\)\.$/],
  [`sh -c 'sh -c "kill -TERM \\$\\$"; exit $?'`, /ended with 143: it was ended by SIGTERM\.$/],
  ['start:\nrun: busybox false', /`run: busybox false` ended with 1\.$/],
  ['start:\nrun: nosuch', /`run: nosuch` ended with 127: a program was not found\.$/],
  [
    'start:\nrun: uninterpreted',
    /`run: uninterpreted` could not be started: the interpreter in its first line/,
  ],
  ['start: nosuch\nwait: port 1', /the container could not be started: .* before `wait: port 1` was done\.$/],
  [
    "start: sh -c 'exit 5'\nwait: log never",
    /the container ended with 5 before `wait: log never` was done\.$/,
  ],
  ["start: sh -c 'exit 0'\nwait: port 1", /the container ended with 0 before `wait: port 1` was done\.$/],
  [
    "start: sh -c 'exit 6'\nrun: sleep 1000",
    /the container ended with 6 before `run: sleep 1000` was done\.$/,
  ],
  ['sleep 1000\ntimeout: 1', /`sleep 1000` was not done within 1 second\.$/],
  // It listens to nobody who asks it to end, and prints more than anyone wants to read.
  [`sh -c 'trap "" TERM INT; yes'\ntimeout: 1`, /was not done within 1 second\.$/],
  ['start:\nwait: port 7001\ntimeout: 5', /`wait: port 7001` was not done within 5 seconds\.$/],
  ['start:\nwait: log never\ntimeout: 5', /`wait: log never` was not done within 5 seconds\.$/],
  ['start:\nrun: sleep 1000\ntimeout: 5', /`run: sleep 1000` was not done within 5 seconds\.$/],
]

for (const engine of ['docker', 'podman'] as const)
  test(
    `${engine}: what works passes, what does not is told in words, and nothing is left`,
    skip,
    async () => {
      await using machine = await Machine.create({ user: 'root' })
      const podman = await setUpPodman(machine)
      if (engine === 'docker') await startDockerd(machine)
      // A variable that Podman hands on if it is let.
      const proxy = { HTTP_PROXY: 'http://proxy.example', http_proxy: 'http://proxy.example' }
      const env = { ...machine.env, ...podman, ...proxy }
      await expect(machine.run(['sh', '-euc', sample, engine], { env }))
      await machine.plant('/opt/watched/docker', watched.replaceAll('ENGINE', join(partsBin, engine)), 0o755)
      const inFront = { env: { ...env, PATH: `/opt/watched:${podman.PATH}` } }
      const shown = ['env', "sh -c 'echo shown; echo too >&2'", 'sleep 1000\ntimeout: 1']
      const argv = [process.execPath, driver, engine, 'localhost/sample', ...shown]
      const [plain, both] = outcomes(await expect(machine.run(argv, inFront)))
      assert.equal(plain?.tested?.with, engine)
      assert.doesNotMatch(plain?.said.join('\n') ?? '', /proxy.example/)
      assert.match(both?.said.join('\n') ?? '', /^shown$/m)
      assert.match(both?.said.join('\n') ?? '', /^too$/m)
      assert.equal(await expect(machine.run(['sort', '-u', '/tmp/logs'], { env })), 'log: none\n')
      const texts = ['env', ...passes.map(([text]) => text), ...fails.map(([text]) => text)]
      const run = await expect(
        machine.run([process.execPath, driver, engine, 'localhost/sample', ...texts], { env }),
      )
      const [environment, ...all] = outcomes(run)
      assert.match(environment?.said.join('\n') ?? '', /^PATH=\/bin$/m)
      assert.doesNotMatch(environment?.said.join('\n') ?? '', /proxy.example|CONTAINERS_|USER=/i)
      for (const [index, [text, words]] of passes.entries()) {
        const { failure, said, tested } = all[index] ?? assert.fail(text)
        assert.equal(failure, undefined, JSON.stringify(failure))
        assert.match(said.join('\n'), words)
        assert.deepEqual(tested?.lines, text.split('\n'))
      }
      for (const [index, [text, words]] of fails.entries()) {
        const { failure, said, tested } = all[passes.length + index] ?? assert.fail(text)
        assert.match(failure?.message ?? '', words, `${text}: ${failure?.detail}`)
        assert.equal(tested, undefined)
        assert.doesNotMatch(said.join('\n'), /^warning/m)
        assert.ok(said.length < 6000 && (failure?.detail ?? '').length < 50_000)
        assert.equal(/timeout: SECONDS/.test(failure?.advice ?? ''), text.includes('timeout'))
      }
      assert.equal(all.length, passes.length + fails.length)
      assert.equal(await expect(machine.run(['sh', '-euc', left, engine], { env })), '')
    },
  )

/**
 * A network of its own with Docker's bridge in it, and a daemon whose processes have other numbers than here: what a job
 * sees that runs in a container beside that of its daemon.
 */
const beside = `
  ip link set lo up
  unshare --pid --fork --kill-child --mount-proc dockerd --iptables=false --ip6tables=false 2>/dev/null &
  daemon=$!
  until docker info; do kill -0 $daemon; done >/dev/null 2>&1
  sh -euc "$SAMPLE" docker
  "$@"
  sh -euc "$LEFT" docker
  kill $daemon
`

test(
  'a daemon whose processes are not seen: a port is looked for at the address of the container',
  skip,
  async () => {
    await using machine = await Machine.create({ user: 'root' })
    const texts = [
      "start: sh -c 'sleep 1; nc -ll -p 7000 -e true'\nwait: port 7000",
      'start:\nwait: port 7001\ntimeout: 2',
      "start: sh -c 'sleep 1'\nwait: port 7000",
    ]
    const argv = [process.execPath, driver, 'docker', 'localhost/sample', ...texts]
    const run = machine.run(['unshare', '--net', '--', 'bash', '-euc', beside, 'bash', ...argv], {
      env: { ...machine.env, PATH: `${partsBin}:${machine.env.PATH}`, SAMPLE: sample, LEFT: left },
    })
    const [listens, other, ended] = outcomes(await expect(run))
    assert.equal(listens?.failure, undefined)
    assert.match(other?.failure?.message ?? '', /`wait: port 7001` was not done within 2 seconds/)
    assert.match(
      ended?.failure?.message ?? '',
      /the container ended with 0 before `wait: port 7000` was done/,
    )
  },
)

test('where ports cannot be seen at all that is said, and lines can be waited for', skip, async () => {
  await using machine = await Machine.create({ user: 'root' })
  await startDockerd(machine, { elsewhere: true })
  const env = { ...machine.env, PATH: `${partsBin}:${machine.env.PATH}` }
  await expect(machine.run(['sh', '-euc', sample, 'docker'], { env }))
  const texts = ['start:\nwait: port 7000', 'start:\nwait: log as it is']
  const argv = [process.execPath, driver, 'docker', 'localhost/sample', ...texts]
  const [port, log] = outcomes(await expect(machine.run(argv, { env })))
  assert.match(port?.failure?.message ?? '', /^`wait: port 7000` cannot be done: .* cannot be seen\.$/)
  assert.match(port?.failure?.advice ?? '', /`wait: log Ready to accept connections`/)
  assert.equal(log?.failure, undefined)
})
