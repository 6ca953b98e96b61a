import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Sample } from '../../script/benchmarks/sample.ts'
import { room } from '../../script/benchmarks/upstream-room.ts'
import { renderUpstream } from '../../script/benchmarks/upstream-table.ts'

const mega = 1e6

test('where there is room, to keep what upstream has wins what it takes longer from there', () => {
  const options = { seed: 1, commits: 25, limit: 1e12, upstream: 400 * mega, rate: 40 * mega }
  const { kept, lean, inRoom } = room(options)
  // Ten seconds a run; those that need a set first fetch it anyway: two sets.
  const won = lean.seconds - kept.seconds
  assert.ok(Math.abs(won - 23 * 10) < 1e-3, `${won}`)
  assert.ok(Math.abs(kept.uploaded - lean.uploaded - 2 * options.upstream) < mega)
  assert.ok(Math.abs(inRoom.seconds - kept.seconds) < 1e-3)
})

test('where there is none, it drops what is dear, unless only the room that is left is used', () => {
  const options = { seed: 1, commits: 40, limit: 1000 * mega, upstream: 400 * mega, rate: 40 * mega }
  const { kept, lean, inRoom } = room(options)
  assert.ok(kept.seconds > 1.2 * lean.seconds)
  assert.ok(inRoom.seconds <= lean.seconds)
})

test('the table has medians, and how they are to our cache', () => {
  const sample = (seconds: number): Sample => ({
    ...{ seconds, cpu: seconds / 2, calls: 4, uploads: 0, downloads: 2 },
    ...{ sent: 0, received: 2 * mega, phases: {} },
  })
  const text = renderUpstream({
    ...{ benchmark: 'upstream', machine: { processors: 2 }, rounds: 3 },
    links: { upstream: { roundTrip: 30, connection: 20 * mega, total: 100 * mega } },
    stores: [
      {
        ...{ name: '1k', paths: 1000, files: 7000, bytes: 42 * mega },
        ...{ upstreamBytes: 20 * mega, cacheBytes: 21 * mega },
        rows: {
          'save with': [sample(7)],
          'from our cache': [1, 9, 2].map(sample),
          'from upstream': [3, 1, 9].map(sample),
        },
      },
    ],
  })
  assert.match(text, /^\| upstream \| 30 ms \| 20\.0 MB\/s \| 100 MB\/s \|$/m)
  assert.match(text, /^\| save with \| 7\.00 s \| 3\.50 s \| {2}\| 2\.0 MB \| 4 \|$/m)
  assert.match(text, /^\| from our cache \| 2\.00 s \| 1\.00 s \| 1\.00× \| 2\.0 MB \| 4 \|$/m)
  assert.match(text, /^\| from upstream \| 3\.00 s \| 1\.50 s \| 1\.50× \| 2\.0 MB \| 4 \|$/m)
})
