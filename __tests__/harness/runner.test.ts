import assert from 'node:assert/strict'
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { rolldown } from 'rolldown'
import { Machine } from './machine.ts'
import { type Event, pullRequest, pushTag, pushToDefaultBranch } from './runner/events.ts'
import { Job, type JobOptions } from './runner/job.ts'

const fixtures = join(import.meta.dirname, '../fixtures')
const sample = join(fixtures, 'sample-action')
const token = 'ghs_0123456789abcdefghijklmnopqrstuvwxyz'
const origin = { repository: 'octo-org/Hello-World', actor: 'mona' }

/** Most runners are ordinary users. */
const needsUsers = { skip: Machine.withoutUsers() }
let machine: Machine
beforeEach(async () => {
  if (needsUsers.skip === false) machine = await Machine.create({ user: 'runner' })
})
afterEach(() => machine?.dispose())

function start(options: Partial<JobOptions> = {}): Promise<Job> {
  return Job.start({ machine, event: pushToDefaultBranch(origin), token, ...options })
}

type Seen = { env: Record<string, string>; cwd: string; node: string }

async function seen(job: Job, phase: 'main' | 'post' = 'main'): Promise<Seen> {
  return JSON.parse(await readFile(machine.path(`${job.temp}/${phase}.json`), 'utf8'))
}

test(
  'an action finds the inputs, variables, folders and files that the runner gives',
  needsUsers,
  async () => {
    const job = await start({ services: { ACTIONS_RESULTS_URL: 'http://127.0.0.1:1/' } })
    const step = await job.uses({ action: sample, with: { PRINT: 'hello\n' } })
    const { env, cwd, node } = await seen(job)
    assert.equal(step.code, 0)
    assert.equal(step.log, 'hello')
    assert.equal(node, process.version)
    assert.equal(cwd, join(machine.user.home, 'work/Hello-World/Hello-World'))
    assert.equal(join(cwd, '../../_temp'), env.RUNNER_TEMP)
    const expected = {
      INPUT_TWO_WORDS: 'for octo-org/Hello-World',
      'INPUT_USER-NAME': 'mona',
      INPUT_TOKEN: token,
      INPUT_EXIT: '0',
      INPUT_HANG: 'false',
      INPUT_ENV: '',
      GITHUB_WORKSPACE: cwd,
      GITHUB_REPOSITORY: 'octo-org/Hello-World',
      GITHUB_REPOSITORY_OWNER: 'octo-org',
      GITHUB_REF: 'refs/heads/main',
      GITHUB_REF_NAME: 'main',
      GITHUB_REF_TYPE: 'branch',
      GITHUB_EVENT_NAME: 'push',
      GITHUB_ACTOR: 'mona',
      GITHUB_RUN_ATTEMPT: '1',
      RUNNER_OS: 'Linux',
      CI: 'true',
      HOME: '/home/runner',
      ACTIONS_RESULTS_URL: 'http://127.0.0.1:1/',
    }
    assert.deepEqual(Object.fromEntries(Object.keys(expected).map(name => [name, env[name]])), expected)
    assert.equal(env.GITHUB_TOKEN, undefined)
    const payload = JSON.parse(await readFile(machine.path(env.GITHUB_EVENT_PATH ?? ''), 'utf8'))
    assert.equal(payload.after, env.GITHUB_SHA)
  },
)

test('events look to a job as on GitHub', needsUsers, async () => {
  const variables = async (event: Event) => {
    const job = await start({ event })
    await job.uses({ action: sample })
    const { GITHUB_REF_NAME, GITHUB_REF_TYPE, GITHUB_HEAD_REF, GITHUB_BASE_REF } = (await seen(job)).env
    return [GITHUB_REF_NAME, GITHUB_REF_TYPE, GITHUB_HEAD_REF, GITHUB_BASE_REF]
  }
  assert.deepEqual(await variables(pushTag(origin, 'v1.2')), ['v1.2', 'tag', '', ''])
  assert.deepEqual(
    await variables(pullRequest(origin, { number: 7, head: 'fix', fork: 'mona/Hello-World' })),
    ['7/merge', 'branch', 'fix', 'main'],
  )
})

test(
  'what a step writes to its files reaches later steps and its own post step only',
  needsUsers,
  async () => {
    const job = await start({ env: { GREETING: 'hi' }, services: { ACTIONS_RUNTIME_TOKEN: 'tok-runtime' } })
    const step = await job.uses({
      action: sample,
      id: 'first',
      with: {
        env: 'ONE=1=1\nMANY<<END\na=b\n\nc<<d\nEND\nGITHUB_SHA=forged\nGREETING=hello\n',
        path: '/opt/one\n/opt/two\n',
        output: 'list<<E1\nx\ny\nE1\n',
        state: 'id=42\n',
        step_summary: '# Title\n',
      },
    })
    assert.deepEqual(step.outputs, { list: 'x\ny' })
    assert.deepEqual(step.env, { ONE: '1=1', MANY: 'a=b\n\nc<<d', GITHUB_SHA: 'forged', GREETING: 'hello' })
    assert.deepEqual(step.path, ['/opt/one', '/opt/two'])
    assert.equal(step.summary, '# Title\n')

    const later = await job.run(['sh', '-c', 'env; pwd'], { env: { MINE: 'yes' } })
    const lines = later.log.split('\n')
    for (const line of ['ONE=1=1', 'GREETING=hello', 'MINE=yes', 'MANY=a=b', job.workspace])
      assert.ok(lines.includes(line), line)
    assert.match(later.log, /^PATH=\/opt\/two:\/opt\/one:\//m)
    assert.doesNotMatch(later.log, /forged|^STATE_|^INPUT_|^ACTIONS_/m)

    await job.uses({ action: sample, id: 'second' })
    assert.equal((await seen(job)).env.STATE_id, undefined)
    const { posts, conclusion } = await job.end()
    assert.deepEqual(
      posts.map(({ id, log }) => [id, log]),
      [
        ['second', 'post of mona'],
        ['first', 'post of mona'],
      ],
    )
    const { env } = await seen(job, 'post')
    assert.equal(env.STATE_id, '42')
    assert.equal(env.INPUT_STEP_SUMMARY, '# Title\n')
    assert.equal(env.ACTIONS_RUNTIME_TOKEN, 'tok-runtime')
    assert.equal(conclusion, 'success')
  },
)

test('a failed step fails the job and its post step still runs', needsUsers, async () => {
  const job = await start()
  const step = await job.uses({
    action: sample,
    with: { exit: '3', print: '::error::broken\n', nonsense: '1' },
  })
  assert.deepEqual([step.code, step.conclusion], [3, 'failure'])
  assert.deepEqual(step.errors, [{ message: 'broken' }])
  assert.deepEqual(step.warnings, [{ message: "Unexpected input(s) 'nonsense'" }])
  const end = await job.end()
  assert.equal(end.conclusion, 'failure')
  assert.equal(end.posts.length, 1)
})

test('a malformed file and a summary that is too long are held against the step', needsUsers, async () => {
  const job = await start()
  const malformed = await job.uses({ action: sample, with: { output: 'no sense\n' } })
  assert.equal(malformed.conclusion, 'failure')
  assert.deepEqual(malformed.errors.at(-1), { message: "Invalid format 'no sense'" })
  const long = await job.run(['sh', '-c', 'head -c 1048577 /dev/zero | tr "\\0" x >"$GITHUB_STEP_SUMMARY"'])
  assert.match(long.errors[0]?.message ?? '', /summary upload aborted|SUMMARY upload aborted/)
  assert.equal(long.summary, '')
})

test('tokens are masked from the beginning, and what a step adds from then on', needsUsers, async () => {
  const job = await start({ secrets: ['hunter2hunter2'], services: { ACTIONS_RUNTIME_TOKEN: 'tok-runtime' } })
  const print = `${token} hunter2hunter2 tok-runtime late\n::add-mask::late\nlate\n`
  const step = await job.uses({ action: sample, with: { print } })
  assert.equal(step.log, '*** *** *** late\n***')
  assert.equal(step.raw, `${token} hunter2hunter2 tok-runtime late\nlate`)
  const later = await job.run(['echo', 'too', 'late'])
  assert.equal(later.log, 'too ***')
})

test('a step can be killed at a moment of its own; its post step has the state', needsUsers, async () => {
  const job = await start()
  const printed = Promise.withResolvers<void>()
  const running = await job.startUses({
    action: sample,
    with: { hang: 'true', state: 'half=done\n', print: 'so far\n' },
    onLine: line => line === 'so far' && printed.resolve(),
  })
  await printed.promise
  running.kill()
  const step = await running.done
  assert.deepEqual([step.code, step.conclusion], [undefined, 'failure'])
  await job.end()
  assert.equal((await seen(job, 'post')).env.STATE_half, 'done')
})

test('what steps left running is named and ended with the job', needsUsers, async () => {
  const job = await start()
  const step = await job.uses({ action: sample, with: { leave: '98765' } })
  assert.equal(step.code, 0)
  const { orphans } = await job.end()
  assert.deepEqual(orphans, [['sleep', '98765']])
  assert.deepEqual((await job.end()).orphans, [])
})

test('another job on the same machine finds the tool cache but no temporary file', needsUsers, async () => {
  const first = await start()
  await first.run(['sh', '-c', 'touch "$RUNNER_TEMP/left" "$RUNNER_TOOL_CACHE/kept"'])
  await first.end()
  const second = await start()
  const { log } = await second.run(['sh', '-c', 'ls "$RUNNER_TEMP" "$RUNNER_TOOL_CACHE"'])
  assert.match(log, /kept/)
  assert.doesNotMatch(log, /left/)
})

test('the toolkit of GitHub is understood', needsUsers, async t => {
  const action = await mkdtemp(join(tmpdir(), 'toolkit-action-'))
  t.after(() => rm(action, { recursive: true }))
  await bundled(join(fixtures, 'toolkit-action'), action)
  const job = await start()
  const lines = 'first\nghadelimiter_x\n::error::no'
  const step = await job.uses({ action, with: { secret: 'p@ss w0rd/+', lines } })
  assert.equal(step.code, 1)
  assert.match(step.log, /^said: \*\*\* and [\w+/=]{2,4}\*\*\*[\w+/=]{0,4}$/m)
  assert.doesNotMatch(step.log, /p@ss|details/)
  assert.deepEqual(step.env, { FROM_TOOLKIT: lines })
  assert.deepEqual(step.path, ['/opt/from-toolkit'])
  assert.deepEqual(step.outputs, { lines, object: '{"a":[1]}' })
  assert.deepEqual(step.debugs, ['details'])
  assert.deepEqual(step.groups, [{ title: 'Inside: 100%', lines: ['grouped'] }])
  assert.deepEqual(step.warnings, [
    { message: 'Careful, it\nbreaks: 5%', title: 'A, b: c', file: 'flake.nix', line: 3, endLine: 4 },
  ])
  assert.deepEqual(step.notices, [{ message: 'By the way' }])
  assert.deepEqual(step.errors, [{ message: 'Error: It did not work' }])
  assert.equal(step.summary, '<h1>Done</h1>\n<b>all</b>')
  const { posts } = await job.end()
  assert.equal(posts[0]?.log, 'kept: a=b<<c')
})

/** With its library inside, as an action is published. */
async function bundled(from: string, to: string): Promise<void> {
  await using bundle = await rolldown({
    input: { main: join(from, 'main.mjs'), post: join(from, 'post.mjs') },
    platform: 'node',
  })
  await cp(join(from, 'action.yml'), join(to, 'action.yml'))
  await bundle.write({ dir: join(to, 'dist'), entryFileNames: '[name].mjs', chunkFileNames: '[name].mjs' })
}
