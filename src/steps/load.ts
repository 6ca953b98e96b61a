import { randomBytes } from 'node:crypto'
import { removeTested } from '../container/container.ts'
import type { Engine } from '../container/model.ts'
import { dockerArchive } from '../image/docker-save.ts'
import type { Image } from '../image/model.ts'
import type { Inputs } from '../inputs/model.ts'
import type { Job } from '../job.ts'
import type { Places } from '../places.ts'
import { readState } from '../state.ts'
import type { Digest } from '../util/digest.ts'
import { withoutInputs } from '../util/environment.ts'
import { messageOf, UserError } from '../util/errors.ts'
import { exec } from '../util/exec.ts'
import { harmless } from '../util/harmless.ts'
import { testImage } from './test.ts'

/** Milliseconds that a daemon may take to say that it is there. */
const longestAnswer = 30_000

type Finding = Pick<Job, 'env' | 'signal'> & { readonly inputs: Pick<Inputs, 'load' | 'test'> }

/**
 * Looks for Docker, then Podman, if the image shall be loaded or tested.
 * @throws UserError when neither answers
 */
export async function findEngine({ inputs, env, signal }: Finding): Promise<Engine | undefined> {
  const { load, test } = inputs
  if (!load && test === undefined) return undefined
  const said: string[] = []
  const plain = withoutInputs(env)
  for (const program of ['docker', 'podman'] as const) {
    const asked = await exec(program, ['info'], {
      env: plain,
      signal: AbortSignal.any([signal, AbortSignal.timeout(longestAnswer)]),
    }).catch(() => undefined)
    if (asked?.code === 0) {
      // Also the `docker` of the package podman-docker is Podman: no other says this.
      const isPodman = /^\s*buildahVersion:/m.test(asked.stdout)
      return { name: isPodman ? 'podman' : 'docker', program, env: plain }
    }
    if (asked !== undefined) said.push(`${program}: ${asked.stderr.trim().split('\n').at(-1)}`)
  }
  const [why, input] = load ? ['`load` is `true`', '`load`'] : ['There is a `test`', '`test`']
  throw new UserError(`${why}, and neither Docker nor Podman answers on this runner.`, {
    detail: harmless(said.join('\n')),
    advice: `Use a runner that has one of them, start its daemon before this step, or leave ${input} out.`,
  })
}

/**
 * Gives the image to the engine as far as it is asked for: to keep it under its references, and to test it.
 * @returns the image id, sha256 of the config that the engine was given
 * @throws UserError when the engine does not take it, the image cannot be read, or the test fails
 */
export async function tryOut(job: Job, engine: Engine, image: Image): Promise<Digest> {
  const { inputs, phases, report, runner } = job
  const { test, repository } = inputs
  const references =
    inputs.load && repository !== undefined ? inputs.tags.map(tag => `${repository.name}:${tag}`) : []
  // A name that nobody else has: by its id another step might remove it, or this one what was there before.
  const own = test && `localhost/nix-image-action:${randomBytes(8).toString('hex')}`
  if (own !== undefined) job.save({ trial: { program: engine.program, image: own } })
  try {
    const id = await phases.time('load', () =>
      load(job, engine, image, [...references, ...(own === undefined ? [] : [own])]),
    )
    if (inputs.load) {
      runner.info(
        `Loaded ${id} into ${engine.name}${references.length > 0 ? ` as ${references.join(', ')}` : ''}`,
      )
      report.loaded = { into: engine.name, id, references }
    }
    if (test !== undefined && own !== undefined)
      await phases.time('test', () => testImage(job, { engine, test, image: own, id }))
    return id
  } finally {
    // What cannot be taken away now is left to the end of the job.
    if (own !== undefined)
      await removeTested(engine, own).then(
        () => job.save({ trial: undefined }),
        error => runner.debug(`The image under test was not removed: ${messageOf(error)}`),
      )
  }
}

/** Gives the image to the engine as it reads it: no archive is written. */
async function load(
  { signal }: Job,
  { program, env }: Engine,
  image: Image,
  references: readonly string[],
): Promise<Digest> {
  let id: Digest | undefined
  const input = dockerArchive(image, references, written => {
    id = written
  })
  const result = await exec(program, ['load'], { env, input, signal })
  signal.throwIfAborted()
  if (result.code === 0 && id !== undefined) return id
  throw new UserError(`${program} did not take the image: \`${program} load\` ended with ${result.code}.`, {
    detail: harmless(result.stderr.trim()),
    advice: `See what ${program} says of it; it may need more space or a newer version.`,
  })
}

/**
 * Takes away the image that was being tested when main was killed, and its containers.
 * @throws UserError when the engine does not do it
 */
export async function endTrial({ folder }: Places, env: NodeJS.ProcessEnv): Promise<void> {
  const { trial } = readState(folder) ?? {}
  if (trial === undefined) return
  await removeTested({ program: trial.program, env: withoutInputs(env) }, trial.image)
}
