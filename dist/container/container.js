import * as z from '../vendor/zod.js'
import { aborted } from '../util/aborted.js'
import { messageOf, UserError } from '../util/errors.js'
import { exec } from '../util/exec.js'
import { harmless } from '../util/harmless.js'

/** Milliseconds for what an engine does at once; it does not end on its own where a daemon hangs. */
const longestAnswer = 60_000
/** Milliseconds to make a container: some engines copy the whole image for it. */
const longestCreation = 600_000

/** The label of a test's containers, with the image's name: by it they are found whatever their names are. */
const label = 'nix-image-action.test'

const inspectedSchema = z
  .object({
    Id: z.string(),
    State: z.object({
      Pid: z.number(),
      Running: z.boolean(),
      StartedAt: z.string(),
      OOMKilled: z.boolean().default(false),
      Error: z.string().default(''),
    }),
    NetworkSettings: z.object({
      Networks: z.record(z.string(), z.object({ IPAddress: z.string().default('') })).nullish(),
    }),
  })
  .transform(({ Id, State, NetworkSettings }) => ({
    id: Id,
    pid: State.Pid,
    running: State.Running,
    // Go's zero time stands for never.
    started: !State.StartedAt.startsWith('0001-'),
    outOfMemory: State.OOMKilled,
    error: State.Error,
    addresses: Object.values(NetworkSettings.Networks ?? {})
      .map(({ IPAddress }) => IPAddress)
      .filter(Boolean),
  }))

/**
 * Starts a container of an image and takes it away, with what it wrote, when `work` is done, failed or was interrupted.
 * It gets nothing of this process's environment or input.
 * @throws UserError when the engine cannot make it; what `work` throws
 */
export async function withContainer(engine, options, work) {
  const { name, image, entrypoint, onLine, log, signal } = options
  const over = new AbortController()
  const running = []

  /** With its output as it comes, and until the container is gone at most. */
  const attach = args => {
    const { program, env } = engine
    const whole = exec(program, args, {
      env,
      signal: over.signal,
      onStdoutLine: onLine,
      onStderrLine: onLine,
    })
    running.push(whole)
    return Promise.race([whole, aborted(signal)])
  }
  const inspect = async () =>
    inspectedSchema.parse(
      JSON.parse(await ask(engine, ['container', 'inspect', '--format', '{{json .}}', name])),
    )

  try {
    // Never interrupted, so that what it has made can be found.
    const create = [
      ...['create', '--name', name, '--pull=never', `--label=${label}=${image}`],
      // What it prints comes over the connection; else the engine keeps all of it on the disk as well.
      '--log-driver=none',
      // Podman gives the proxy of this process's environment to containers.
      ...(engine.name === 'podman' ? ['--http-proxy=false'] : []),
      ...(entrypoint === undefined ? [] : [`--entrypoint=${entrypoint}`]),
      ...[image, ...options.arguments],
    ]
    await ask(engine, create, longestCreation)
    signal.throwIfAborted()
    const end = attach(['start', '--attach', name])
    end.catch(() => {})
    return await work({
      inspect,
      async ended() {
        // Not as the engine has it, which says 0 of one that runs on when the connection is lost.
        const { code } = await end
        const { started, outOfMemory, error } = await inspect()
        return { started, code, outOfMemory, error }
      },
      exec: argv => attach(['exec', name, ...argv]),
    })
  } finally {
    // At once: what it has written goes with it.
    const now = engine.name === 'podman' ? ['--time=0'] : []
    await ask(engine, ['rm', '--force', '--volumes', ...now, name]).catch(error =>
      log.warning(`The container ${name} of the test was not removed: ${messageOf(error)}`),
    )
    over.abort()
    await Promise.allSettled(running)
  }
}

/**
 * Takes away what a test may have left: containers of an image, and the image under this name, which goes with it where
 * it has no other. What is not there is no error.
 * @param image what the engine calls it
 * @throws UserError when the engine does not do it
 */
export async function removeTested(engine, image) {
  const containers = await ask(engine, ['ps', '--all', '--quiet', '--filter', `label=${label}=${image}`])
  const ids = containers.split('\n').filter(Boolean)
  if (ids.length > 0) await ask(engine, ['rm', '--force', '--volumes', ...ids])
  if ((await ask(engine, ['images', '--quiet', image])).trim() !== '') await ask(engine, ['rmi', image])
}

/** What an engine prints to stdout. */
async function ask({ program, env }, args, longest = longestAnswer) {
  const { code, stdout, stderr } = await exec(program, args, { env, signal: AbortSignal.timeout(longest) })
  if (code === 0) return stdout
  throw new UserError(`\`${program} ${args[0]}\` ended with ${code}.`, {
    detail: harmless(stderr.trim()),
    advice: `See what ${program} says of it.`,
  })
}
