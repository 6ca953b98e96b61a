import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { parseEvent } from '../../src/build/events.ts'
import { causesOf } from '../../src/build/failed-build.ts'
import { observe, type Progress, shortName, startProgress } from '../../src/build/progress.ts'
import { createReporter, progressLine, summarise } from '../../src/build/report.ts'
import type { Log } from '../../src/util/log.ts'

const fixtures = join(import.meta.dirname, '../fixtures/nix-log')
const versions = readdirSync(fixtures, { withFileTypes: true })
  .filter(entry => entry.isDirectory())
  .map(entry => entry.name)

function linesOf(version: string, name: string): string[] {
  return readFileSync(join(fixtures, version, `${name}.log`), 'utf8')
    .split('\n')
    .filter(Boolean)
}

/** What is known after these lines, of which each came a second after the one before. */
function follow(lines: readonly string[]): Progress {
  const progress = startProgress()
  for (const [second, line] of lines.entries()) {
    const event = parseEvent(line)
    if (event !== undefined) observe(progress, event, second)
  }
  return progress
}

function collect(): { log: Log; lines: string[] } {
  const lines: string[] = []
  const log: Log = {
    debug: () => {},
    info: line => lines.push(line),
    warning: line => lines.push(line),
    group: (_title, work) => work(),
  }
  return { log, lines }
}

assert.ok(versions.length >= 2, 'the recordings are there')
for (const version of versions) {
  describe(`as Nix ${version} said it`, () => {
    test('builds with their time', () => {
      const lines = linesOf(version, 'app')
      const { builds, planned, failed, errors, substitutions } = follow(lines)
      assert.deepEqual(planned, { builds: 2, fetches: 0 })
      assert.deepEqual([failed.size, errors.length, substitutions.size], [0, 0, 0])
      const timeOf = (name: string) => {
        const start = lines.findIndex(line => line.includes('"type":105}') && line.includes(`-${name}.drv"`))
        const id = /"id":(\d+)/.exec(lines[start] ?? '')?.[1]
        return lines.findIndex(line => line.includes('"stop"') && line.includes(`${id}`)) - start
      }
      assert.deepEqual(
        builds.map(({ name, seconds }) => ({ name, seconds })),
        ['dep-1.0', 'app-2.0'].map(name => ({ name, seconds: timeOf(name) })),
      )
      assert.match(builds[0]?.drvPath ?? '', /^\/nix\/store\/[0-9a-z]{32}-dep-1\.0\.drv$/)
    })

    test('failed builds with the end of their logs', () => {
      const { builds, failed, tails, errors } = follow(linesOf(version, 'fails'))
      assert.deepEqual(builds, [])
      assert.deepEqual([...failed].map(shortName).sort(), ['also-fails', 'fails-3.1'])
      const tail = [...tails].find(([drv]) => shortName(drv) === 'fails-3.1')?.[1]
      assert.deepEqual([tail?.length, tail?.[0], tail?.at(-1)], [30, 'line 11', 'line 40'])
      const causes = causesOf(errors).map(cause => ({ ...cause, drvPath: shortName(cause.drvPath) }))
      assert.deepEqual(
        causes.toSorted((a, b) => (a.drvPath < b.drvPath ? -1 : 1)),
        [
          { kind: 'builder', drvPath: 'also-fails', reason: 'builder failed with exit code 4' },
          { kind: 'builder', drvPath: 'fails-3.1', reason: 'builder failed with exit code 3' },
        ],
      )
    })

    test('other causes', () => {
      const causes = ['wrong-sri', 'other-system', 'other-features'].flatMap(name =>
        causesOf(follow(linesOf(version, name)).errors),
      )
      assert.deepEqual(
        causes.map(({ kind }) => kind),
        ['hash', 'system', 'system'],
      )
      assert.deepEqual(
        causes.map(cause =>
          cause.kind === 'hash' ? [cause.specified, cause.got] : cause.kind === 'system' && cause.features,
        ),
        [
          [
            'sha256-AAG1tSLV3whtD/CxEPvZ0hu0/HFjrzTQgoai6Eb2vgM=',
            'sha256-WJG1tSLV3whtD/CxEPvZ0hu0/HFjrzTQgoai6Eb2vgM=',
          ],
          '',
          'of-the-moon',
        ],
      )
    })

    test('substituted paths with store and bytes', () => {
      const progress = follow(linesOf(version, 'substituted'))
      const [substitution, ...others] = progress.substitutions.values()
      assert.deepEqual([progress.builds, others], [[], []])
      assert.match(substitution?.path ?? '', /-app-2\.0$/)
      assert.match(substitution?.store ?? '', /^http:\/\/127\.0\.0\.1:\d+$/)
      assert.ok(substitution !== undefined && substitution.bytes > 50 && substitution.bytes < 500)
      assert.deepEqual([progress.planned.builds, progress.planned.fetches], [0, 1])
    })

    test('what a broken cache did not give does not count', () => {
      const { builds, substitutions } = follow(linesOf(version, 'substituted-in-part'))
      assert.equal(builds.at(-1)?.name, 'app-2.0')
      assert.ok(![...substitutions.keys()].some(path => path.endsWith('-app-2.0')))
      assert.equal(builds.length + substitutions.size, 2)
    })

    test('errors with what went wrong and where', () => {
      const [thrown] = follow(linesOf(version, 'throws')).errors
      assert.equal(thrown?.what, 'this is not for you\n::error::nor this')
      assert.match(thrown.positions[0]?.file ?? '', /\/\.devcontainer\/nixos\/flake\.nix$/)
      const [deep] = follow(linesOf(version, 'deep')).errors
      assert.match(deep?.positions[0]?.file ?? '', /\/\.devcontainer\/nixos\/deep\.nix$/)
      assert.equal(deep?.positions[0]?.line, 4)
      assert.equal(deep?.what, 'cannot coerce an integer to a string: 1')
      assert.match(deep.text, /… while/)
      const [missing] = follow(linesOf(version, 'missing')).errors
      assert.match(missing?.what ?? '', /^flake '.*' does not provide attribute 'packages\./)
    })

    test('the log that the user sees', () => {
      const { log, lines } = collect()
      let second = 0
      const reporter = createReporter(log, () => second++)
      for (const line of linesOf(version, 'app')) reporter.line(line)
      const plain = lines
        .filter(line => !/^\d+ s: |^1 min/.test(line))
        .map(line => line.replace(/ in \d+(\.\d)? s /, ' '))
      assert.deepEqual(plain, [
        'these 2 derivations will be built',
        'building dep-1.0',
        'dep-1.0> building dep',
        'built dep-1.0 (1 of 2)',
        'building app-2.0',
        'app-2.0> ::set-output name=digest::sha256:bad',
        'app-2.0> x #\u200b#[set-output name=digest]bad',
        'built app-2.0 (2 of 2)',
      ])
      const progress = lines.filter(line => !plain.includes(line) && /^\d+ s: /.test(line))
      assert.ok(progress.length >= 1 && progress.length <= second / 15, lines.join('\n'))
      assert.match(progress[0] ?? '', /^1\d s: built 0 of 2/)
    })
  })
}

test('a line that is not Nix’s is kept, one that is not understood is left out', () => {
  assert.deepEqual(parseEvent('fatal: \u001b[1mno\u001b[0m'), { kind: 'line', text: 'fatal: no' })
  for (const line of ['@nix {', '@nix {"action":"sing"}', '@nix 1', '@nix {"action":"stop"}', '@nix null']) {
    assert.equal(parseEvent(line), undefined)
  }
})

test('ids of 64 bits stay apart, and text that looks like one stays text', () => {
  const line = (id: string) =>
    `@nix {"action":"result","fields":["{\\"id\\":1,\\"parent\\":2"],"id":${id},"type":101}`
  const [a, b] = [parseEvent(line('18446744073709551614')), parseEvent(line('18446744073709551615'))]
  assert.deepEqual(a, {
    kind: 'result',
    id: '18446744073709551614',
    type: 101,
    fields: ['{"id":1,"parent":2'],
  })
  assert.equal(b?.kind === 'result' && b.id, '18446744073709551615')
})

test('a message that came through a daemon has its cause at the end', () => {
  const msg =
    "\u001b[31;1merror: \u001b[0m\n       … while a\n\n       error: builder for '/nix/store/x.drv' failed"
  const event = parseEvent(`@nix ${JSON.stringify({ action: 'msg', level: 0, msg })}`)
  assert.equal(event?.kind === 'message' && event.what, "builder for '/nix/store/x.drv' failed")
})

test('whatever the order, nothing is thrown and nothing counts twice', () => {
  const lines = versions.flatMap(version =>
    ['app', 'fails', 'substituted-in-part'].flatMap(name => linesOf(version, name)),
  )
  const garbage = fc.oneof(
    fc.string(),
    fc.json().map(json => `@nix ${json}`),
    fc
      .record({
        action: fc.constantFrom('start', 'stop', 'result', 'msg'),
        id: fc.nat(3),
        parent: fc.nat(3),
        type: fc.constantFrom(100, 101, 103, 104, 105, 106, 108),
        level: fc.nat(5),
        msg: fc.string(),
        fields: fc.array(fc.oneof(fc.string(), fc.double(), fc.constant('/nix/store/x')), { maxLength: 4 }),
      })
      .map(event => `@nix ${JSON.stringify(event)}`),
    fc.constantFrom(...lines),
  )
  fc.assert(
    fc.property(fc.array(garbage, { maxLength: 60 }), all => {
      const { log } = collect()
      const reporter = createReporter(log, () => 0)
      for (const line of all) reporter.line(line)
      const { progress } = reporter
      assert.ok(progress.builds.every(build => !progress.building.has(build.drvPath)))
      assert.ok(progressLine(progress, 0) !== undefined)
      const starts = all.filter(line => line.includes('"start"')).length
      assert.ok(progress.builds.length + progress.failed.size + progress.substitutions.size <= starts)
    }),
    { numRuns: 1000 },
  )
})

test('runs of Nix that are mixed line by line give what they give apart', () => {
  const [one, two] = versions
  const runs = [linesOf(one ?? '', 'app'), linesOf(two ?? '', 'substituted')]
  const sum = (progresses: Progress[]) => ({
    builds: progresses.flatMap(({ builds }) => builds.map(({ name }) => name)).toSorted(),
    paths: progresses.flatMap(({ substitutions }) =>
      [...substitutions.values()].map(({ path, bytes }) => [path, bytes]),
    ),
  })
  const apart = sum(runs.map(follow))
  fc.assert(
    fc.property(fc.infiniteStream(fc.nat(1)), choices => {
      const left = runs.map(run => [...run])
      const mixed: string[] = []
      while (left.some(run => run.length > 0)) {
        const [choice = 0] = choices.take(1)
        const line = left[choice]?.shift() ?? left[1 - choice]?.shift()
        if (line !== undefined) mixed.push(line)
      }
      assert.deepEqual(sum([follow(mixed)]), apart)
    }),
  )
})

/** What a worker of Nix does with one derivation or path: steps, of which each is a list of events in a row. */
type Goal = {
  name: string
  kind: 'build' | 'fetch'
  attempts: readonly boolean[]
  bytes: number
  /** Whether the message of a failed build comes before its end, as through a daemon. */
  early: boolean
}

/** Writes the events of a run in which goals run at once; `pick` says which one makes the next step. */
function simulate(goals: readonly Goal[], pick: () => number): string[] {
  const lines: string[] = []
  const say = (event: object) => lines.push(`@nix ${JSON.stringify(event)}`)
  const counts = { built: 0, failed: 0, fetched: 0 }
  const count = () => {
    say({ action: 'result', id: 1, type: 105, fields: [counts.built, 9, 0, counts.failed] })
    say({ action: 'result', id: 2, type: 105, fields: [counts.fetched, 9, 0, 0] })
  }
  say({ action: 'start', id: 1, parent: 0, type: 104 })
  say({ action: 'start', id: 2, parent: 0, type: 103 })
  let id = 10
  function* build({ name, early }: Goal, ok: boolean) {
    const own = id++
    say({ action: 'start', id: own, parent: 0, type: 105, fields: [`/nix/store/${name}.drv`, '', 1, 1] })
    yield
    say({ action: 'result', id: own, type: 101, fields: [`log of ${name}`] })
    yield
    const message = { action: 'msg', level: 0, msg: `error: builder for '/nix/store/${name}.drv' failed` }
    if (!ok && early) say(message)
    counts[ok ? 'built' : 'failed']++
    count()
    say({ action: 'stop', id: own })
    if (!ok && !early) say(message)
  }
  function* fetch({ name, bytes }: Goal, ok: boolean, store: string) {
    const [own, copy, file] = [id++, id++, id++]
    say({ action: 'start', id: own, parent: 0, type: 108, fields: [`/nix/store/${name}`, store] })
    say({ action: 'start', id: copy, parent: own, type: 100, fields: [`/nix/store/${name}`, store, 'local'] })
    say({ action: 'start', id: file, parent: copy, type: 101, fields: [`${store}/nar/${name}.nar.xz`] })
    yield
    say({ action: 'result', id: file, type: 105, fields: [bytes, bytes, 0, 0] })
    say({ action: 'result', id: file, type: 105, fields: [0, 0, 0, 0] })
    yield
    // The file's activity may end after the others.
    say({ action: 'stop', id: copy })
    say({ action: 'stop', id: own })
    yield
    say({ action: 'stop', id: file })
    yield
    if (ok) counts.fetched++
    else say({ action: 'msg', level: 1, msg: `warning: file 'nar/${name}.nar.xz' does not exist` })
    count()
  }
  const running = goals.map(goal =>
    (function* () {
      for (const [index, ok] of goal.attempts.entries()) {
        yield* goal.kind === 'build' ? build(goal, ok) : fetch(goal, ok, `https://store${index}`)
        yield
      }
    })(),
  )
  while (running.length > 0) {
    const at = pick() % running.length
    if (running[at]?.next().done) running.splice(at, 1)
  }
  return lines
}

test('of many builds and paths at once those are counted that came about', () => {
  const attempts = fc.constantFrom([true], [true], [false], [false, true], [false, false])
  const kind = fc.constantFrom<Goal['kind']>('build', 'fetch')
  const goals = fc
    .array(fc.record({ kind, attempts, bytes: fc.nat(9999), early: fc.boolean() }), { maxLength: 12 })
    .map(all =>
      all.map((goal, index) => ({
        ...goal,
        name: `${'a'.repeat(32)}-${index}x`,
        // A derivation is built once.
        attempts: goal.kind === 'build' ? goal.attempts.slice(0, 1) : goal.attempts,
      })),
    )
  const namesOf = (all: readonly Goal[]) => all.map(({ name }) => name).toSorted()
  fc.assert(
    fc.property(goals, fc.infiniteStream(fc.nat(999)), (all, picks) => {
      const progress = follow(simulate(all, () => [...picks.take(1)][0] ?? 0))
      const good = all.filter(({ attempts }) => attempts.at(-1))
      const inStore = (paths: Iterable<string>) =>
        [...paths].map(path => path.slice(11).replace('.drv', '')).toSorted()
      const [builds, fetches] = [
        good.filter(({ kind }) => kind === 'build'),
        good.filter(({ kind }) => kind === 'fetch'),
      ]
      assert.deepEqual(inStore(progress.builds.map(({ drvPath }) => drvPath)), namesOf(builds))
      assert.deepEqual(
        inStore(progress.failed),
        namesOf(all.filter(goal => goal.kind === 'build' && !goal.attempts.at(-1))),
      )
      assert.deepEqual(inStore(progress.substitutions.keys()), namesOf(fetches))
      for (const { path, store, bytes } of progress.substitutions.values()) {
        const goal = fetches.find(({ name }) => path.endsWith(name))
        assert.deepEqual([store, bytes], [`https://store${(goal?.attempts.length ?? 0) - 1}`, goal?.bytes])
      }
    }),
    { numRuns: 500 },
  )
})

const drv = (name: string) => `/nix/store/${'0'.repeat(32)}-${name}.drv`
const say = (events: readonly object[]) => follow(events.map(event => `@nix ${JSON.stringify(event)}`))

test('a failure that has no build of its own is not taken for that of another', () => {
  const counter = { action: 'start', id: 1, parent: 0, type: 104 }
  const failure = [
    { action: 'result', id: 1, type: 105, fields: [0, 1, 0, 1] },
    { action: 'msg', level: 0, msg: `error: Cannot build '${drv('other')}'.` },
  ]
  const start = { action: 'start', id: 2, parent: 0, type: 105, fields: [drv('good'), '', 1, 1] }
  const stop = { action: 'stop', id: 2 }
  for (const events of [
    [counter, ...failure, start, stop],
    [counter, start, ...failure, stop],
  ]) {
    const { builds, failed } = say(events)
    assert.deepEqual([builds.map(({ name }) => name), [...failed]], [['good'], []])
  }
})

test('a build that an error names after its end has failed, counted or not', () => {
  const { builds, failed } = say([
    { action: 'start', id: 2, parent: 0, type: 105, fields: [drv('bad'), '', 1, 1] },
    { action: 'stop', id: 2 },
    { action: 'msg', level: 0, msg: `error: builder for '${drv('bad')}' failed` },
  ])
  assert.deepEqual([builds, [...failed]], [[], [drv('bad')]])
})

test('a build that another machine’s Nix tells of as well is one build, of that machine', () => {
  const start = (id: number, machine: string) => ({
    action: 'start',
    id,
    parent: 0,
    type: 105,
    fields: [drv('far'), machine, 1, 1],
  })
  for (const [first, last] of [
    [3, 2],
    [2, 3],
  ]) {
    const { builds } = say([
      start(2, 'ssh-ng://b'),
      start(3, ''),
      { action: 'stop', id: first },
      { action: 'stop', id: last },
    ])
    assert.deepEqual(
      builds.map(({ name, machine }) => [name, machine]),
      [['far', 'ssh-ng://b']],
    )
  }
})

test('a path that comes from the second store counts for that one', () => {
  const fetch = (id: number, store: string) => [
    { action: 'start', id, parent: 0, type: 108, fields: ['/nix/store/x', store] },
    { action: 'stop', id },
  ]
  const { substitutions } = say([
    { action: 'start', id: 1, parent: 0, type: 103 },
    ...fetch(2, 'https://a'),
    ...fetch(3, 'https://b'),
    { action: 'result', id: 1, type: 105, fields: [1, 1, 0, 0] },
  ])
  assert.deepEqual(
    [...substitutions.values()].map(({ store }) => store),
    ['https://b'],
  )
})

test('a progress line at most every 15 seconds of the events’ time', () => {
  const { log, lines } = collect()
  let second = 0
  const reporter = createReporter(log, () => second)
  const tell = (event: object) => reporter.line(`@nix ${JSON.stringify(event)}`)
  tell({ action: 'msg', level: 3, msg: 'this derivation will be built:' })
  tell({ action: 'start', id: 7, parent: 0, type: 105, fields: [drv('slow'), '', 1, 1] })
  tell({ action: 'result', id: 7, type: 104, fields: ['buildPhase'] })
  for (second = 1; second <= 60; second++) tell({ action: 'result', id: 9, type: 106, fields: [101, second] })
  assert.deepEqual(
    lines.slice(2),
    [15, 30, 45, 60].map(
      at =>
        `${at < 60 ? `${at} s` : '1 min 0 s'}: built 0 of 1, now slow (buildPhase, ${at < 60 ? `${at} s` : '1 min 0 s'})`,
    ),
  )
})

test('the sum in one line', () => {
  const built = (name: string, seconds: number) => ({ drvPath: `/nix/store/x-${name}.drv`, name, seconds })
  const path = (store: string, bytes: number) => ({
    path: `/nix/store/${store}${bytes}`,
    store,
    bytes,
    seconds: 1,
  })
  const cacheUrl = 'http://127.0.0.1:5/?trusted=1'
  assert.equal(
    summarise(
      {
        builds: [built('a', 1), built('b', 70), built('c', 2), built('d', 0)],
        substitutions: [
          path('http://127.0.0.1:5', 1024),
          path('https://u', 512),
          path('http://127.0.0.1:5', 512),
        ],
        seconds: 75,
      },
      cacheUrl,
    ),
    'Built 4 (slowest: b 1 min 10 s, c 2.0 s, a 1.0 s), ' +
      'fetched 2 paths from the cache and 1 path from https://u (2.0 KiB), in 1 min 15 s',
  )
  assert.equal(
    summarise({ builds: [], substitutions: [], seconds: 0.2 }),
    'Nothing to build or to fetch, in 0.2 s',
  )
})
