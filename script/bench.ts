// Measures what the action does beside the tools that a user would pick instead: see script/bench.
import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { Machine } from '../__tests__/harness/machine.ts'
import { benchCache } from './benchmarks/cache.ts'
import { parseSize } from './benchmarks/stores.ts'
import { render } from './benchmarks/table.ts'
import { benchUpstream } from './benchmarks/upstream.ts'
import { renderUpstream } from './benchmarks/upstream-table.ts'

// Node.js warns that taking types out is experimental; the version that does it is pinned.
process.removeAllListeners('warning')

const kinds = ['save', 'restore', 'index'] as const
const usage = `script/bench [cache] [--rounds N] [--sizes 1k,5k,20k,big] [--only ${kinds.join(',')}] [--json FILE]
script/bench upstream [--rounds N] [--sizes 1k,large] [--json FILE]`

function refuse(why: string): never {
  console.error(`${why}\n${usage}`)
  process.exit(2)
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        rounds: { type: 'string', default: '3' },
        sizes: { type: 'string' },
        only: { type: 'string', default: kinds.join(',') },
        json: { type: 'string' },
      },
    })
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error))
  }
}

const { values, positionals } = parse()
const [name = 'cache', ...others] = positionals
if (name !== 'cache' && name !== 'upstream') refuse(`there is no benchmark '${name}'`)
if (others.length > 0) refuse('one benchmark at a time')
const rounds = Number(values.rounds)
if (!Number.isInteger(rounds) || rounds < 1) refuse(`--rounds: '${values.rounds}' is not a number of rounds`)
const sizes = (values.sizes ?? (name === 'cache' ? '1k,5k,20k,big' : '1k,large')).split(',')
for (const size of sizes) if (parseSize(size) === undefined) refuse(`--sizes: there is no store '${size}'`)
const only = values.only
  .split(',')
  .map(name => kinds.find(kind => kind === name) ?? refuse(`--only: there is no '${name}'`))
const reason = Machine.unavailable()
if (reason !== undefined) refuse(reason)

const say = (line: string) => console.error(line)
const result =
  name === 'cache'
    ? await benchCache({ rounds, sizes, only, say })
    : await benchUpstream({ rounds, sizes, say })
console.log(result.benchmark === 'cache' ? render(result) : renderUpstream(result))
if (values.json !== undefined)
  await writeFile(resolve(process.env.INIT_CWD ?? '', values.json), `${JSON.stringify(result, null, 2)}\n`)
