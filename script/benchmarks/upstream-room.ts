/**
 * What it costs to keep what a public cache has where the cache is full: seconds over a history of runs, of building and
 * of what upstream takes longer than our cache, with the policy that runs at the end of a job.
 * Usage: node script/benchmarks/upstream-room.ts [--commits N] [--seeds 1,2,3] [--limit-mb N] [--upstream-mb N] [--rate N]
 */
import { createHash } from 'node:crypto'
import { parseArgs } from 'node:util'
import { nixBase32 } from '../../src/util/base32.ts'
import { makeHistory, type Output, type Run } from './history.ts'
import { planned } from './keepers.ts'
import { type Keeper, simulate } from './simulate.ts'

export type RoomOptions = {
  readonly seed: number
  readonly commits: number
  /** Bytes that the cache may hold. */
  readonly limit: number
  /** Bytes that a run needs from upstream, in 200 paths; a new set after every 20 runs, as inputs are brought up to date. */
  readonly upstream: number
  /** Bytes a second by which our cache is quicker: a second is won for so many. */
  readonly rate: number
}

/**
 * Seconds of building and of waiting for upstream, and bytes sent: where its paths are kept, where they are not, and
 * where they are kept in the room that all else leaves, which the action cannot do.
 */
export function room({ seed, commits, limit, upstream, rate }: RoomOptions) {
  const history = makeHistory({ seed, commits, libraries: 90 }).map((run, at): Run => {
    const more = setOf(Math.floor(at / 20), upstream, rate)
    return { ...run, wanted: [...run.wanted, ...more] }
  })
  const total = (keeper: Keeper) => {
    const { seconds, uploaded } = simulate(history, keeper)
    return { seconds, uploaded }
  }
  return {
    kept: total(planned({ limit })),
    lean: total(withoutUpstream(planned({ limit }))),
    inRoom: total(inRoomLeft(planned({ limit }), limit)),
  }
}

const sets = new Map<string, readonly Output[]>()

function setOf(version: number, bytes: number, rate: number): readonly Output[] {
  const name = `upstream ${version} of ${bytes} by ${rate}`
  const made =
    sets.get(name) ??
    Array.from({ length: 200 }, (_, at): Output => {
      const digest = createHash('sha256').update(`${name} ${at}`).digest()
      const size = bytes / 200
      const outputs: Output[] = []
      const derivation = {
        ...{ name: `upstream-${at}`, seconds: size / rate, isSource: false, isUpstream: true },
        ...{ inputs: [], outputs },
      }
      const output = {
        name: `${nixBase32(digest.subarray(0, 20))}-upstream-${at}`,
        size,
        derivation,
        references: [],
      }
      outputs.push(output)
      return output
    })
  sets.set(name, made)
  return made
}

function isUpstream({ derivation }: Output): boolean {
  return derivation.isUpstream === true
}

/** Without packs, so it is no worse at it than the action could be. */
function inRoomLeft(others: Keeper, limit: number): Keeper {
  const lean = withoutUpstream(others)
  let held = new Set<Output>()
  let uploaded = 0
  return {
    has: output => held.has(output) || lean.has(output),
    save(done) {
      lean.save(done)
      let room = limit - lean.size()
      const before = held
      const fits = [...done.wanted.filter(isUpstream), ...before.difference(new Set(done.wanted))].filter(
        ({ size }) => {
          room -= size
          return room >= 0
        },
      )
      held = new Set(fits)
      for (const { size } of held.difference(before)) uploaded += size
    },
    size: () => lean.size() + [...held].reduce((sum, { size }) => sum + size, 0),
    get uploaded() {
      return lean.uploaded + uploaded
    },
    get rewriteCalls() {
      return lean.rewriteCalls
    },
  }
}

function withoutUpstream(keeper: Keeper): Keeper {
  const ours = (some: ReadonlySet<Output>) => new Set([...some].filter(output => !isUpstream(output)))
  return {
    has: output => keeper.has(output),
    save: done => keeper.save({ ...done, built: ours(done.built) }),
    size: () => keeper.size(),
    get uploaded() {
      return keeper.uploaded
    },
    get rewriteCalls() {
      return keeper.rewriteCalls
    },
  }
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      commits: { type: 'string', default: '60' },
      seeds: { type: 'string', default: '1,2,3,4,5' },
      'limit-mb': { type: 'string', default: '1000,2000,4000,8000' },
      'upstream-mb': { type: 'string', default: '100,400,1000' },
      rate: { type: 'string', default: '15' },
    },
  })
  const numbers = (text: string) => text.split(',').map(Number)
  const mean = (all: readonly number[]) => all.reduce((sum, one) => sum + one, 0) / all.length
  console.log(
    '| bound | from upstream | seconds, not kept | kept | in the room left | GB sent, not kept | kept | in the room left |',
  )
  console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |')
  for (const limit of numbers(values['limit-mb'])) {
    for (const upstream of numbers(values['upstream-mb'])) {
      const results = numbers(values.seeds).map(seed =>
        room({
          ...{ seed, commits: Number(values.commits), limit: limit * 1e6 },
          ...{ upstream: upstream * 1e6, rate: Number(values.rate) * 1e6 },
        }),
      )
      const ways = [
        results.map(one => one.lean),
        results.map(one => one.kept),
        results.map(one => one.inRoom),
      ]
      const seconds = ways.map(all => mean(all.map(one => one.seconds)).toFixed(0))
      const sent = ways.map(all => (mean(all.map(one => one.uploaded)) / 1e9).toFixed(1))
      console.log(`| ${[`${limit} MB`, `${upstream} MB`, ...seconds, ...sent].join(' | ')} |`)
    }
  }
}
