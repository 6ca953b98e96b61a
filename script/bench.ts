// Measures what the action does beside the tools that a user would pick instead: see script/bench.
import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { Machine } from '../__tests__/harness/machine.ts'
import { benchCache } from './benchmarks/cache.ts'
import { benchProof, parsePaths, renderProof } from './benchmarks/proof.ts'
import { parseImage } from './benchmarks/push/images.ts'
import { benchPush, pushParts } from './benchmarks/push/push.ts'
import { tools } from './benchmarks/push/results.ts'
import { renderPush } from './benchmarks/push/table.ts'
import { parseSize } from './benchmarks/stores.ts'
import { render } from './benchmarks/table.ts'
import { benchUpstream } from './benchmarks/upstream.ts'
import { renderUpstream } from './benchmarks/upstream-table.ts'

// Node.js warns that taking types out is experimental; the version that does it is pinned.
process.removeAllListeners('warning')

const kinds = ['save', 'restore', 'index'] as const
const peers = tools.filter(tool => tool !== 'ours')
const defaults = { cache: '1k,5k,20k,big', upstream: '1k,large', push: 'big,100', proof: '3000' } as const
const usage = `script/bench [cache] [--rounds N] [--sizes ${defaults.cache}] [--only ${kinds.join(',')}] [--json FILE]
script/bench upstream [--rounds N] [--sizes ${defaults.upstream}] [--json FILE]
script/bench push [--rounds N] [--sizes ${defaults.push}] [--only ${pushParts.join(',')}] [--without ${peers.join(',')}] [--quick] [--json FILE]
script/bench proof [--rounds N] [--sizes ${defaults.proof}] [--json FILE]`

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
        only: { type: 'string' },
        without: { type: 'string' },
        quick: { type: 'boolean', default: false },
        json: { type: 'string' },
      },
    })
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error))
  }
}

const { values, positionals } = parse()
const [name = 'cache', ...others] = positionals
if (name !== 'cache' && name !== 'upstream' && name !== 'push' && name !== 'proof')
  refuse(`there is no benchmark '${name}'`)
if (others.length > 0) refuse('one benchmark at a time')
const rounds = Number(values.rounds)
if (!Number.isInteger(rounds) || rounds < 1) refuse(`--rounds: '${values.rounds}' is not a number of rounds`)
const sizes = (values.sizes ?? defaults[name]).split(',')
const [what, parseSizeOf] = (
  {
    cache: ['store', parseSize],
    upstream: ['store', parseSize],
    push: ['image', parseImage],
    proof: ['image', parsePaths],
  } as const
)[name]
for (const size of sizes)
  if (parseSizeOf(size) === undefined) refuse(`--sizes: there is no ${what} '${size}'`)

const common = { rounds, sizes, say: (line: string) => console.error(line) }

/** What an option lists. */
function chosen<T extends string>(
  option: 'only' | 'without',
  all: readonly T[],
  given: readonly T[],
): readonly T[] {
  const names = values[option]?.split(',') ?? given
  return names.map(name => all.find(one => one === name) ?? refuse(`--${option}: there is no '${name}'`))
}

/** Each reads its options, and gives what measures. */
const benchmarks = {
  cache() {
    const only = chosen('only', kinds, kinds)
    return () => benchCache({ ...common, only }).then(result => ({ result, text: render(result) }))
  },
  upstream() {
    return () => benchUpstream(common).then(result => ({ result, text: renderUpstream(result) }))
  },
  push() {
    const options = {
      ...{ only: chosen('only', pushParts, pushParts), without: chosen('without', peers, []) },
      quick: values.quick,
    }
    return () => benchPush({ ...common, ...options }).then(result => ({ result, text: renderPush(result) }))
  },
  proof() {
    return () => benchProof(common).then(result => ({ result, text: renderProof(result) }))
  },
}

const measure = benchmarks[name]()
const reason = Machine.unavailable()
if (reason !== undefined) refuse(reason)
const { result, text } = await measure()
console.log(text)
if (values.json !== undefined)
  await writeFile(resolve(process.env.INIT_CWD ?? '', values.json), `${JSON.stringify(result, null, 2)}\n`)
