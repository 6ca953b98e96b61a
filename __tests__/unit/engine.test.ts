import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { parseImageTest } from '../../src/container/image-test.ts'
import type { Engine } from '../../src/container/model.ts'
import type { Image } from '../../src/image/model.ts'
import type { Job } from '../../src/job.ts'
import { placesIn } from '../../src/places.ts'
import { newState, writeState } from '../../src/state.ts'
import { endTrial, findEngine, tryOut } from '../../src/steps/load.ts'
import { silent } from '../../src/util/log.ts'
import { Phases } from '../../src/util/phases.ts'

/** What an engine does in moments that a real one cannot be brought into: a script for each of its commands. */
type Commands = Readonly<Record<string, string>>

/** What `container inspect` prints. */
function inspected(state: {
  readonly Running: boolean
  readonly Error?: string
  readonly started?: boolean
}) {
  const { started = true, ...known } = state
  const StartedAt = started ? '2026-01-01T00:00:00Z' : '0001-01-01T00:00:00Z'
  return `cat <<'END'\n${JSON.stringify({ Id: 'c', State: { Pid: 0, StartedAt, ...known }, NetworkSettings: {} })}\nEND\n`
}

const works: Commands = {
  load: 'cat >/dev/null',
  images: 'echo id',
  container: inspected({ Running: false }),
}

/** A `docker` of such commands, the last one counts; all else it does at once. */
async function withEngine(
  commands: Commands,
  work: (given: { readonly engine: Engine; readonly folder: string }) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'engine '))
  try {
    const cases = Object.entries({ ...works, ...commands }).map(
      ([name, script]) => `${name})\n${script}\n;;\n`,
    )
    const script = `#!/bin/sh\ncd "$(dirname "$0")"\necho "$*" >>said\ncase "$1" in\n${cases.join('')}esac\n`
    await writeFile(join(folder, 'docker'), script, { mode: 0o755 })
    const env = { PATH: `${folder}:/usr/local/bin:/usr/bin:/bin` }
    await work({ engine: { name: 'docker', program: 'docker', env }, folder })
  } finally {
    await rm(folder, { recursive: true })
  }
}

const image: Image = {
  kind: 'oci-layout',
  config: () => Buffer.from('{}'),
  platform: { os: 'linux', architecture: 'amd64' },
  layers: [],
  close: async () => {},
}

/** A job as far as the steps under test look at it, and what it leaves to post. */
function jobOf(text: string) {
  const left: { trial?: unknown } = {}
  const job = {
    inputs: { load: false, test: parseImageTest(text), tags: [] },
    ...{ phases: new Phases(), report: { phases: [] }, runner: silent, signal: new AbortController().signal },
    save: (more: object) => void Object.assign(left, more),
  } as unknown as Job
  return { job, left }
}

test('a service that ends while it is probed has failed, whoever sees it first', async () => {
  // The look at the end of the container comes late: the probe has seen it by then.
  const commands = {
    start: 'read _ <death; exit 7',
    exec: 'touch dead; echo >death; read _ <looking; exit 1',
    container: [
      `if ! [ -e dead ]; then ${inspected({ Running: true })}`,
      `else if mkdir looked 2>/dev/null; then echo >looking; read _ <gone; fi; ${inspected({ Running: false })}fi`,
    ].join('\n'),
    rm: 'echo >gone',
  }
  await withEngine(commands, async ({ engine, folder }) => {
    for (const fifo of ['death', 'looking', 'gone']) await promisify(execFile)('mkfifo', [join(folder, fifo)])
    await assert.rejects(tryOut(jobOf('start:\nrun: probe').job, engine, image), {
      message: 'The test failed: the container ended with 7 before `run: probe` was done.',
    })
  })
})

test('what an engine says of the program is explained, of anything else it is told', async () => {
  for (const [error, words] of [
    [
      'runc: exec: "nosuch": executable file not found in $PATH: unknown',
      'there is no executable of this name',
    ],
    ['crun: executable file `nosuch` not found: No such file or directory', 'there is no executable of this'],
    [
      'crun: the path `/x` exists but it is not executable: Permission denied',
      'it is there, and the user of',
    ],
    [
      'first\nrunc: chdir to cwd ("/data") set in config.json failed: permission denied',
      'runc: chdir to cwd ("/data") set in config.json failed: permission denied',
    ],
    [
      'error mounting "/a" to rootfs at "/b": no such file',
      'error mounting "/a" to rootfs at "/b": no such file',
    ],
    ['##[error]evil', '#\u200b#[error]evil'],
  ] as const)
    await withEngine(
      {
        start: 'exit 127',
        container: inspected({ Running: false, Error: error, started: false }),
      },
      ({ engine }) =>
        assert.rejects(tryOut(jobOf('nosuch').job, engine, image), (thrown: Error) => {
          const start = `The test failed: \`nosuch\` could not be started: ${words}`
          assert.equal(thrown.message.slice(0, start.length), start)
          return true
        }),
    )
})

test('an image that cannot be taken away after its test is left to the end of the job', async () => {
  for (const [commands, isLeft] of [
    [{}, false],
    // There was nothing to take away.
    [{ images: '', rmi: 'exit 1' }, false],
    [{ rmi: 'exit 1' }, true],
    [{ ps: 'exit 1' }, true],
    [{ ps: 'echo found', rm: '[ "$4" != found ]' }, true],
  ] as const)
    await withEngine(commands, async ({ engine }) => {
      const { job, left } = jobOf('true')
      await tryOut(job, engine, image)
      assert.equal(left.trial !== undefined, isLeft, JSON.stringify(commands))
    })
})

test('the end of the job takes away what is left of a test, and says when it cannot', async () => {
  for (const [commands, words] of [
    [{}, undefined],
    [{ images: '', rmi: 'exit 1' }, undefined],
    [{ ps: 'exit 1' }, /`docker ps` ended with 1/],
    [{ ps: 'echo found', rm: 'exit 3' }, /`docker rm` ended with 3/],
    [{ images: 'exit 1' }, /`docker images` ended with 1/],
    [{ rmi: 'exit 1' }, /`docker rmi` ended with 1/],
  ] as const)
    await withEngine(commands, async ({ engine, folder }) => {
      const places = placesIn(join(folder, 'step'))
      await mkdir(places.folder)
      writeState(places.folder, { ...newState, trial: { program: 'docker', image: 'own' } })
      const ended = endTrial(places, engine.env)
      if (words === undefined) await ended
      else await assert.rejects(ended, words)
    })
})

test('a `docker` that is Podman is run with what Podman takes', async () => {
  for (const [info, name] of [
    ['Client: Docker Engine\n Version: 28.5.2\n', 'docker'],
    ['host:\n  arch: amd64\n  buildahVersion: 1.43.2\n', 'podman'],
  ] as const)
    await withEngine({ info: `printf '%s' '${info}'` }, async ({ engine }) => {
      const { job } = jobOf('true')
      const found = await findEngine({ ...job, env: engine.env })
      assert.deepEqual([found?.name, found?.program], [name, 'docker'])
    })
})
