import { dockerArchive } from '../image/docker-save.js'

import { withoutInputs } from '../util/environment.js'
import { UserError } from '../util/errors.js'
import { exec } from '../util/exec.js'
import { harmless } from '../util/harmless.js'

/** Milliseconds that a daemon may take to say that it is there. */
const longestAnswer = 30_000

/**
 * Looks for Docker, then Podman, if the image shall be loaded.
 * @throws UserError when neither answers
 */
export async function findEngine({ inputs, env, signal }) {
  if (!inputs.load) return undefined
  const said = []
  const plain = withoutInputs(env)
  for (const name of ['docker', 'podman']) {
    const asked = await exec(name, ['info'], {
      env: plain,
      signal: AbortSignal.any([signal, AbortSignal.timeout(longestAnswer)]),
    }).catch(() => undefined)
    if (asked?.code === 0) return { name, env: plain }
    if (asked !== undefined) said.push(`${name}: ${asked.stderr.trim().split('\n').at(-1)}`)
  }
  throw new UserError('`load` is `true`, and neither Docker nor Podman answers on this runner.', {
    detail: harmless(said.join('\n')),
    advice: 'Use a runner that has one of them, start its daemon before this step, or leave `load` out.',
  })
}

/**
 * Gives the image to the engine as it reads it: no archive is written.
 * @throws UserError when the engine does not take it, or the image cannot be read
 */
export async function load(job, { name, env }, image) {
  const { inputs, runner, report, signal } = job
  const repository = inputs.repository?.name
  const references = repository === undefined ? [] : inputs.tags.map(tag => `${repository}:${tag}`)
  let id
  const input = dockerArchive(image, references, written => {
    id = written
  })
  const result = await exec(name, ['load'], { env, input, signal })
  signal.throwIfAborted()
  if (result.code !== 0 || id === undefined) {
    throw new UserError(`${name} did not take the image: \`${name} load\` ended with ${result.code}.`, {
      detail: harmless(result.stderr.trim()),
      advice: `See what ${name} says of it; it may need more space or a newer version.`,
    })
  }
  runner.info(`Loaded ${id} into ${name}${references.length > 0 ? ` as ${references.join(', ')}` : ''}`)
  report.loaded = { into: name, id, references }
}
