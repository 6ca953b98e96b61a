import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite, test } from 'node:test'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import type { ProofResult } from '../../script/benchmarks/proof.ts'
import { realContents } from '../../script/benchmarks/push/contents.ts'
import type { PushResult, Row } from '../../script/benchmarks/push/results.ts'
import { measureUse } from '../../script/benchmarks/push/use.ts'
import { randomFrom } from '../../script/benchmarks/random.ts'
import type { CacheResult, UpstreamResult } from '../../script/benchmarks/results.ts'
import { repository } from '../../script/parts/paths.ts'
import { Machine } from '../harness/machine.ts'
import { expect } from '../harness/nix-by-hand.ts'
import { byNight } from '../harness/thorough.ts'

const program = join(repository, 'script/bench.ts')

function bench(...args: readonly string[]) {
  return promisify(execFile)(process.execPath, [program, ...args], { cwd: repository })
}

test('what cannot be measured is said before anything is', async () => {
  for (const [args, why] of [
    [['--sizes', 'huge'], "there is no store 'huge'"],
    [['--rounds', '0'], "'0' is not a number of rounds"],
    [['--only', 'pull'], "there is no 'pull'"],
    [['pull'], "there is no benchmark 'pull'"],
    [['push', '--sizes', '1k'], "there is no image '1k'"],
    [['proof', '--sizes', '0'], "there is no image '0'"],
    [['push', '--only', 'save'], "there is no 'save'"],
    [['push', '--without', 'ours'], "there is no 'ours'"],
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
  test('measures what a public cache has, from there and from our cache', { skip: byNight }, async t => {
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

  // The benchmark itself looks whether the registry has the same image from all of them.
  test('measures all who push, and what is not pushed again', { skip: byNight }, async t => {
    const folder = mkdtempSync(join(tmpdir(), 'bench-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const json = join(folder, 'result.json')
    const { stdout } = await bench('push', '--quick', '--sizes', '6', '--rounds', '1', '--json', json)
    const result: PushResult = JSON.parse(readFileSync(json, 'utf8'))
    const [image = assert.fail()] = result.images
    assert.equal(image.layers, 6)
    const of = (named: string) => {
      const name = ({ tool, from, compression, scenario }: Row) =>
        [tool, from, compression, scenario].join(' ')
      const [sample = assert.fail(named), ...others] =
        image.rows.find(row => name(row) === named)?.samples ?? []
      assert.equal(others.length, 0)
      assert.ok(sample.seconds > 0 && sample.cpu > 0 && sample.peak > 10e6, `${named}: ${sample.peak}`)
      return sample
    }
    for (const pusher of [
      'ours store zstd',
      'ours archive gzip',
      'skopeo archive zstd',
      'crane archive gzip',
    ]) {
      const [cold, again, changed] = ['cold', 'again', 'changed'].map(what => of(`${pusher} ${what}`).sent)
      assert.ok(cold && again !== undefined && changed)
      assert.ok(cold > image.bytes / 5 && cold < image.bytes, `${pusher}: ${cold} bytes of ${image.bytes}`)
      assert.equal(again, 0, pusher)
      // The layer that changed has about 200 kB, before it is compressed.
      assert.ok(changed > 20_000 && changed < 250_000, `${pusher}: ${changed}`)
    }
    // Docker's own layers are loaded into an empty daemon each time.
    assert.ok(of('docker archive gzip cold').peak > of('crane archive gzip cold').peak)
    assert.ok(!image.rows.some(({ tool, scenario }) => tool === 'docker' && scenario !== 'cold'))
    assert.equal(image.archiving.length, 1)

    const once = (scenario: keyof NonNullable<PushResult['unchanged']>) => result.unchanged?.[scenario][0]
    assert.deepEqual(
      [once('output known')?.evaluated, once('source known')?.evaluated],
      [true, false],
      'only one of them asks Nix',
    )
    assert.equal(once('output known')?.blobs, 0)
    assert.deepEqual(
      result.large.map(({ compression, bytes }) => [compression, bytes]),
      [
        ['zstd', 32 * 1024 ** 2],
        ['gzip', 32 * 1024 ** 2],
      ],
    )
    assert.deepEqual(
      result.curves.map(({ layers }) => layers),
      [3, 6],
    )
    assert.match(stdout, /^\| one small layer changed, gzip \| nix-image-action, from the store \|/m)
    assert.match(stdout, /^\| 6: cold, gzip, bytes \| [\d.]+× \| ≤ 1\.05× \|/m)
  })

  // The benchmark itself looks whether all of it was attached, and lists as many paths.
  test('measures what provenance, SBOM and signature add to a push', async t => {
    const folder = mkdtempSync(join(tmpdir(), 'bench-'))
    t.after(() => rmSync(folder, { recursive: true }))
    const json = join(folder, 'result.json')
    const { stdout } = await bench('proof', '--sizes', '20', '--rounds', '1', '--json', json)
    const result: ProofResult = JSON.parse(readFileSync(json, 'utf8'))
    const { paths, samples } = result.images[0] ?? assert.fail()
    assert.equal(paths, 20)
    const [plain, proof] = [samples.plain[0], samples.proof[0]]
    assert.ok(plain?.phases.push && plain.phases.attest === undefined)
    assert.ok(proof?.phases.attest && proof.seconds > proof.phases.attest)
    assert.match(stdout, /^\| \*\*all\*\* \| [\d.]+ s \| [\d.]+ s \| -?[\d.]+ s \|/m)
  })

  test('what is pushed is as real files are: the same each time, and compressed somewhat more than a third', () => {
    const make = () => {
      const file = realContents()(randomFrom(7))
      return Buffer.concat(Array.from({ length: 200 }, () => file(20_000)))
    }
    const contents = make()
    assert.ok(contents.equals(make()))
    const share = gzipSync(contents).length / contents.length
    assert.ok(share > 0.3 && share < 0.6, `${share}`)
  })

  test('processor time and memory of a process and of its child are counted together', async () => {
    await using machine = await Machine.create({ user: 'root' })
    const busy = 'while (process.cpuUsage().user < 300000);'
    const child = `const held = Buffer.alloc(100e6, 1); ${busy}`
    const parent = `const held = Buffer.alloc(100e6, 1)
      require('node:child_process').execFileSync(process.execPath, ['-e', ${JSON.stringify(child)}])
      ${busy}`
    const { cpu, peak } = await measureUse(machine, async () => {
      await expect(machine.run([process.execPath, '-e', parent]))
    })
    assert.ok(cpu > 0.55, `${cpu}`)
    assert.ok(peak > 200e6 && peak < 600e6, `${peak}`)
  })
})
