import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { type TagEvent, tagEvent, withCommitDate } from '../../../src/metadata/event.ts'
import { type Metadata, readMetadata } from '../../../src/metadata/metadata.ts'
import { readContext } from '../../../src/runner/context.ts'
import { UserError } from '../../../src/util/errors.ts'
import { cases, now, recordedEvents, recordedLists } from '../../fixtures/metadata/cases.ts'
import { differences, usable } from '../../fixtures/metadata/differences.ts'
import type { Golden, Recorded } from '../../fixtures/metadata/record.ts'

const golden = JSON.parse(
  readFileSync(new URL('../../fixtures/metadata/golden.json', import.meta.url), 'utf8'),
) as Golden
const folder = mkdtempSync(join(tmpdir(), 'metadata-'))
after(() => rmSync(folder, { recursive: true }))

async function eventOf(name: string, env: NodeJS.ProcessEnv): Promise<TagEvent> {
  const event = recordedEvents[name]
  assert.ok(event, name)
  const file = join(folder, 'event.json')
  writeFileSync(file, JSON.stringify(event.payload))
  const context = await readContext({
    ...{
      GITHUB_EVENT_NAME: event.name,
      GITHUB_REF: event.ref,
      GITHUB_SHA: event.sha,
      GITHUB_EVENT_PATH: file,
    },
    ...{ GITHUB_REPOSITORY: event.repository, GITHUB_RUN_ID: '1', GITHUB_WORKSPACE: '/w', RUNNER_TEMP: '/t' },
  })
  return withCommitDate(tagEvent(context, env, new Date(now)), commitDateOf(name))
}

/** The original takes the payload's word for it, and where there is none the clock's. */
function commitDateOf(name: string): Date {
  const { head_commit } = (recordedEvents[name]?.payload ?? {}) as { head_commit?: { timestamp: string } }
  return new Date(head_commit?.timestamp ?? now)
}

type Ours = Pick<Metadata, 'tags' | 'labels' | 'annotations' | 'warnings'> & {
  readonly error: string | undefined
}

async function ours({ event, list }: Pick<Recorded, 'event' | 'list'>): Promise<Ours> {
  const { env = {}, ...texts } = recordedLists[list] ?? {}
  const problems: string[] = []
  const metadata = readMetadata(
    name => texts[name]?.trim() ?? '',
    await eventOf(event, env),
    (_, parse) => {
      try {
        return parse()
      } catch (error) {
        assert.ok(error instanceof UserError, String(error))
        problems.push(error.message)
        return undefined
      }
    },
  )
  return { ...metadata, error: problems.length === 0 ? undefined : problems.join('\n') }
}

const namespace = 'org.opencontainers.image.'
const varying = ['created', 'revision', 'version'].map(name => namespace + name)
const defaults = [
  ...varying,
  ...['source', 'url', 'title', 'description', 'licenses'].map(name => namespace + name),
]

/** For `pull_request_target` the original has the base branch's commit, ours the pull request's. */
function ofHead(name: string, text: string): string {
  const event = recordedEvents[name]
  const { pull_request } = (event?.payload ?? {}) as { pull_request?: { head: { sha: string } } }
  if (event?.name !== 'pull_request_target' || pull_request === undefined) return text
  const { sha } = pull_request.head
  return text.replaceAll(event.sha, sha).replaceAll(event.sha.slice(0, 7), sha.slice(0, 7))
}

/** What the original makes of a case, as far as ours gives the same. */
function theirs({
  event,
  list,
  tags,
  error,
  warnings = [],
  labels = {},
  annotations = [],
}: Recorded): object {
  if (error !== undefined) return { error: true }
  const { labels: asked = '', annotations: said = '' } = recordedLists[list] ?? {}
  const names = (text: string) => text.split('\n').map(line => line.replaceAll('"', '').split('=')[0] ?? '')
  const named = (name: string, text: string) => names(text).includes(name)
  const pairs = annotations.map(
    text => /^manifest:([^=]*)=(.*)$/s.exec(text)?.slice(1, 3) as [string, string],
  )
  const given = (name: string, value: string) =>
    name === `${namespace}created` ? commitDateOf(event).toISOString() : ofHead(event, value)
  const keep = ([name, value]: readonly [string, string]) =>
    value !== '' && (!varying.includes(name) || named(name, said))
  return {
    tags: usable(tags.map(tag => ofHead(event, tag))),
    warned: warnings.length > 0,
    labels: Object.fromEntries(
      Object.entries(labels)
        .filter(([name]) => !defaults.includes(name) || named(name, asked))
        .map(([name, value]) => [name, given(name, value)]),
    ),
    ...(said === ''
      ? {}
      : {
          annotations: Object.fromEntries(
            pairs.filter(keep).map(([name, value]) => [name, ofHead(event, value)]),
          ),
        }),
  }
}

/** The same of ours. */
function seen({ tags, labels, annotations, warnings, error }: Ours, { list }: Recorded): object {
  if (error !== undefined) return { error: true }
  return {
    ...{ tags: [...tags], warned: warnings.length > 0, labels: { ...labels } },
    ...(recordedLists[list]?.annotations === undefined ? {} : { annotations: { ...annotations.manifest } }),
  }
}

test('every case is recorded', () => {
  const keys = (of: readonly Pick<Recorded, 'event' | 'list'>[]) =>
    of.map(({ event, list }) => `${event}: ${list}`).sort()
  assert.deepEqual(keys(golden.results), keys(cases))
})

for (const [list, results] of Map.groupBy(golden.results, result => result.list)) {
  test(`as docker/metadata-action: ${list}`, async () => {
    for (const result of results) {
      const made = await ours(result)
      const other = differences
        .flatMap(({ cases }) => cases)
        .filter(each => each.list === list && (each.event ?? result.event) === result.event)
      const [expected, ...others] = other
      assert.equal(others.length, 0, `${result.event}: there are two differences`)
      if (expected === undefined) {
        assert.deepEqual(seen(made, result), theirs(result), `${result.event} ${made.error ?? ''}`)
        continue
      }
      if (expected.error !== undefined) assert.match(made.error ?? '', expected.error, result.event)
      else assert.equal(made.error, undefined, result.event)
      for (const key of ['tags', 'labels'] as const) {
        if (expected[key] === undefined) continue
        assert.deepEqual(made[key], expected[key], result.event)
      }
      // What is no difference any more is none in the docs either.
      assert.notDeepEqual(seen(made, result), theirs(result), `${result.event} is the same`)
    }
  })
}
