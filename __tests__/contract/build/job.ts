// Evaluates and builds inside of a test machine and prints as JSON what came of it. Takes one JSON argument.
import { evaluate, realise } from '../../../src/build/flake.ts'
import { isPattern, parsePattern } from '../../../src/build/installable.ts'
import { evaluatePattern } from '../../../src/build/patterns.ts'
import { UserError } from '../../../src/util/errors.ts'
import type { Log } from '../../../src/util/log.ts'
import type { JobInput, JobOutput } from './run.ts'

const input = JSON.parse(process.argv[2] ?? '') as JobInput
const log: string[] = []
const say = (kind: string) => (message: string) => log.push(...message.split('\n').map(line => kind + line))
const collecting: Log = {
  debug: () => {},
  info: say(''),
  warning: say('warning: '),
  async group(title, work) {
    log.push(`[${title}`)
    try {
      return await work()
    } finally {
      log.push(']')
    }
  },
}
const env = Object.fromEntries(Object.entries(process.env).map(([name, value]) => [name, value ?? '']))
const common = {
  nix: { ...input.nix, env },
  workspace: input.workspace,
  args: input.args ?? [],
  log: collecting,
}
const output: JobOutput = { log, evaluated: [], progress: [] }
try {
  for (const text of input.installables) {
    const installable = parsePattern(text)
    if (isPattern(installable))
      output.evaluated.push(...(await evaluatePattern({ ...common, pattern: installable })))
    else output.evaluated.push(await evaluate({ ...common, installable }))
  }
  const scratch = `${process.env.HOME}/scratch`
  const cache = input.cacheUrl === undefined ? {} : { cacheUrl: input.cacheUrl }
  output.realised = await realise({
    ...common,
    ...cache,
    evaluated: output.evaluated,
    scratch,
    onProgress: ({ builds, failed }) => output.progress.push([builds.length, failed.size]),
  })
} catch (error) {
  if (!(error instanceof UserError)) throw error
  const { message, advice, place, detail } = error
  output.error = { message, advice, place, detail }
}
process.stdout.write(JSON.stringify(output))
