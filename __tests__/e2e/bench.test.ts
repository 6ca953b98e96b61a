import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { promisify } from 'node:util'
import type { CacheResult, UpstreamResult } from '../../script/benchmarks/results.ts'
import { repository } from '../../script/parts/paths.ts'
import { Machine } from '../harness/machine.ts'

const program = join(repository, 'script/bench.ts')

function bench(...args: readonly string[]) {
  return promisify(execFile)(process.execPath, [program, ...args], { cwd: repository })
}

test('what cannot be measured is said before anything is', async () => {
  for (const [args, why] of [
    [['--sizes', 'huge'], "there is no store 'huge'"],
    [['--rounds', '0'], "'0' is not a number of rounds"],
    [['--only', 'push'], "there is no 'push'"],
    [['push'], "there is no benchmark 'push'"],
    [['cache', 'upstream'], 'one benchmark at a time'],
    [['--fast'], "Unknown option '--fast'"],
  ] as const) {
    const failed: { code: number; stderr: string } = await bench(...args).then(
      () => assert.fail(),
      error => error,
    )
    assert.equal(failed.code, 2)
    assert.ok(failed.stderr.includes(why), failed.stderr)
    assert.match(failed.stderr, /^script\/bench \[cache\]/m)
  }
})

suite('script/bench', { skip: Machine.unavailable() ?? false }, () => {
  test('measures all tools with a small store, and leaves nothing behind', async t => {
    const folder = mkdtempSync(join(tmpdir(), 'bench-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const root = join(repository, '.bench')
    const runs = () => (existsSync(root) ? readdirSync(root) : []).filter(name => name.startsWith('run-'))
    const before = runs()
    const json = join(folder, 'result.json')
    const { stdout } = await bench('cache', '--sizes', '60', '--rounds', '1', '--json', json)
    const result: CacheResult = JSON.parse(readFileSync(json, 'utf8'))

    assert.equal(result.rounds, 1)
    assert.equal(result.stores.length, 1)
    const { scenarios, paths } = result.stores[0] ?? assert.fail()
    assert.equal(paths, 60)
    const of = (scenario: keyof typeof scenarios, tool: 'ours' | 'tar' | 'copy') => {
      const [sample, ...others] = scenarios[scenario]?.[tool] ?? []
      assert.equal(others.length, 0)
      assert.ok(sample && sample.seconds > 0 && sample.cpu > 0, `${scenario}, ${tool}`)
      return sample
    }

    // Everything: both keep it in entries, some hundred kilobytes at least.
    const saved = of('save everything', 'ours')
    assert.equal(saved.uploads, 2, 'a pack and the index')
    assert.equal(of('save everything', 'tar').uploads, 1)
    for (const sample of [saved, of('save everything', 'tar')]) assert.ok(sample.sent > 500_000)
    const restored = of('restore everything', 'ours')
    assert.equal(restored.downloads, 2, 'the index and a pack')
    assert.equal(of('restore everything', 'tar').downloads, 1)
    for (const sample of [restored, of('restore everything', 'tar')]) assert.ok(sample.received > 500_000)

    const some = of('save 5 % new', 'ours')
    assert.equal(some.uploads, 2)
    assert.ok(some.sent < saved.sent / 4, `${some.sent} bytes for what is new`)
    assert.equal(of('save nothing new', 'ours').uploads, 0)
    assert.equal(of('save nothing new', 'tar').uploads, 0)
    assert.equal(of('restore nothing', 'ours').downloads, 1, 'the index')
    assert.equal(of('restore a tenth', 'ours').downloads, 2)
    for (const scenario of ['save everything', 'restore everything', 'restore a tenth'] as const)
      assert.equal(of(scenario, 'copy').calls, 0)

    assert.deepEqual(
      result.index.map(({ paths }) => paths),
      [1000, 2000, 5000, 10_000, 20_000, 40_000],
    )
    for (const { peak, grown, size } of result.index) assert.ok(size > 0 && grown > 0 && peak > grown)
    assert.ok(result.figures.some(({ what }) => what === '60: most service calls in a step'))
    assert.match(stdout, /^\| save everything \| [\d.]+ s \| [\d.]+ s \| [\d.]+ s \| [\d.]+× \|/m)
    assert.match(stdout, /^\| index of 20000 paths, to open it \|/m)
    assert.deepEqual(
      runs().filter(name => !before.includes(name)),
      [],
      'what it made is gone',
    )
  })

  // The benchmark itself counts what came from where.
  test('measures what a public cache has, from there and from our cache', async t => {
    const folder = mkdtempSync(join(tmpdir(), 'bench-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const json = join(folder, 'result.json')
    const { stdout } = await bench('upstream', '--sizes', '60', '--rounds', '1', '--json', json)
    const result: UpstreamResult = JSON.parse(readFileSync(json, 'utf8'))
    const [store = assert.fail()] = result.stores
    const of = (name: string) => store.rows[name]?.[0] ?? assert.fail(name)
    const [lean, kept] = [of('save without'), of('save with')]
    assert.equal(kept.sent - lean.sent > store.cacheBytes / 2, true)
    assert.ok(store.cacheBytes > store.upstreamBytes / 2 && store.cacheBytes < store.upstreamBytes * 2)
    assert.ok(of('from our cache').received > store.cacheBytes / 2)
    for (const name of ['from upstream, near', 'from upstream', 'from upstream, far'])
      assert.ok(of(name).received < store.cacheBytes / 2, name)
    assert.match(stdout, /^\| from upstream, far \| /m)
  })
})
