import { randomBytes } from 'node:crypto'
import { constants } from 'node:os'
import { withContainer } from '../container/container.js'

import { TestOutput } from '../container/output.js'
import { waitForPort } from '../container/ports.js'

import { UserError } from '../util/errors.js'
import { harmless } from '../util/harmless.js'

import { realSleep } from '../util/sleep.js'
import { count, formatSeconds } from '../util/text.js'

/** Milliseconds between two looks at whether a container has started. */
const interval = 50

/**
 * Runs what has to work in an image, before anybody can pull it: each command in a container of its own, or a service
 * and probes in one.
 * @param options.image what the engine calls it
 * @throws UserError when it does not work, or not within its time
 */
export async function testImage(job, options) {
  const { phases, report, runner } = job
  const { engine, test, id } = options
  const begun = phases.elapsed()
  const late = AbortSignal.timeout(test.timeout * 1000)
  const run = { ...options, job, late, signal: AbortSignal.any([job.signal, late]) }
  if (test.kind === 'service') await runService(run, test)
  else for (const command of test.commands) await runCommand(run, command)
  const seconds = phases.elapsed() - begun
  runner.info(`The image passed its test in ${formatSeconds(seconds)}.`)
  report.tested = { with: engine.name, id, seconds, lines: test.lines }
}

async function runCommand(run, { line, argv }) {
  const [entrypoint, ...args] = argv
  await inContainer(run, { line, entrypoint, arguments: args }, async running => {
    const ended = await running.container.ended()
    if (!ended.started || ended.code !== 0)
      throw failure(running, `\`${line}\` ${howItEnded(running, ended)}`)
  })
}

async function runService(run, test) {
  const [line = ''] = test.lines
  const texts = test.steps.flatMap(step => (step.kind === 'log' ? [step.text] : []))
  await inContainer(run, { line, texts, arguments: test.arguments }, async running => {
    for (const step of test.steps) {
      run.job.runner.info(harmless(step.line))
      await inTime(running, step.line, () => beforeItEnds(running, step))
    }
  })
}

/** Starts a container whose output is a group of the log, and takes it away afterwards. */
async function inContainer(run, settings, work) {
  const { job, engine, image, signal } = run
  const { line, texts, ...what } = settings
  const log = job.runner
  const output = new TestOutput(line => log.info(line), texts)
  const name = `nix-image-action-${randomBytes(8).toString('hex')}`
  const onLine = line => output.add(line)
  await log.group(harmless(`Test: ${line}`), () =>
    inTime({ ...run, output }, line, () =>
      withContainer(engine, { ...what, name, image, onLine, log, signal }, container =>
        work({ ...run, container, output }),
      ),
    ),
  )
}

/** Says what was not done when the time is over. */
async function inTime(running, line, work) {
  const { late, test, job } = running
  try {
    await work()
  } catch (error) {
    job.signal.throwIfAborted()
    if (!late.aborted || error instanceof UserError) throw error
    throw failure(running, `\`${line}\` was not done within ${count(test.timeout, 'second')}`, {
      advice: 'If it is only slow, give the test more time with a line `timeout: SECONDS`.',
    })
  }
}

/** Takes a step of a service's test; that fails when the container ends before. */
async function beforeItEnds(running, step) {
  const over = new AbortController()
  const early = failedEarly(running, step)
  try {
    await Promise.race([take(running, step, AbortSignal.any([running.signal, over.signal])), early])
  } finally {
    over.abort()
  }
}

/** When the container has ended. */
async function failedEarly(running, step) {
  const ended = await running.container.ended()
  throw failure(running, `the container ${howItEnded(running, ended)} before \`${step.line}\` was done`)
}

async function take(running, step, signal) {
  const { container, output } = running
  if (step.kind === 'log') return await output.seen(step.text)
  if (step.kind === 'port') return await waitForPort(container, step.port, signal)
  while (!(await container.inspect()).running) await realSleep(interval, signal)
  const { code } = await container.exec(step.argv)
  if (code === 0) return
  // Of a container that is no more the command is not what is wrong.
  if (!(await container.inspect()).running) await failedEarly(running, step)
  const ended = { started: true, code, outOfMemory: false, error: '' }
  throw failure(running, `\`${step.line}\` ${howItEnded(running, ended)}`)
}

function failure(
  { output },
  what,
  {
    advice = 'See what it printed. With `load: true` the image stays, so that a later step can look into it.',
  } = {},
) {
  return new UserError(`The test failed: ${what}.`, { advice, ...output.detail() })
}

/** What is said of a program that did not run, and what that means. */
const reasons = [
  [/^exec \S+: no such file/, 'the interpreter in its first line, or in its ELF header, is not in the image'],
  [/^exec \S+: exec format error/, 'it is for another kind of machine, or a script without `#!`'],
  [
    /not found|no such file/i,
    'there is no executable of this name in the image, or in the PATH of its config',
  ],
  [/permission denied|is a directory/i, 'it is there, and the user of the config may not execute it'],
]

/** Exit codes that say more than their number. */
const codes = {
  126: 'something could not be executed',
  127: 'a program was not found',
  137: 'it was killed, as it happens where memory runs out',
  139: 'it crashed (SIGSEGV)',
}

function reasonOf(said) {
  return reasons.find(([words]) => words.test(said))?.[1]
}

/** Only what the engine says of the program is explained: a folder or a mount may be what is not there as well. */
function whyNotStarted(said) {
  const ofProgram = /exec:|\bexecutable\b/.test(said)
  return (ofProgram ? reasonOf(said) : undefined) ?? harmless(said.split('\n').at(-1) ?? '')
}

/** To be put after the name of what has ended. */
function howItEnded({ output }, { started, code, outOfMemory, error }) {
  if (!started) return `could not be started: ${whyNotStarted(error.trim() || output.last)}`
  const [unable] = /^exec .*/.exec(output.last) ?? []
  const reason = unable && reasonOf(unable)
  if (reason !== undefined) return `could not be started: ${reason}`
  if (outOfMemory) return `was killed (${code}): there was not enough memory`
  const [signal] = Object.entries(constants.signals).find(([, number]) => number === code - 128) ?? []
  const meaning = codes[code] ?? (signal && `it was ended by ${signal}`)
  return `ended with ${code}${meaning === undefined ? '' : `: ${meaning}`}`
}
