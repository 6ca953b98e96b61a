import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { TagEvent } from '../../../src/metadata/event.ts'
import { readFlavor } from '../../../src/metadata/flavor.ts'
import { entriesOf } from '../../../src/metadata/list.ts'
import { tagsFor } from '../../../src/metadata/tags.ts'
import { UserError } from '../../../src/util/errors.ts'
import { sampleEvent, sha } from './sample.ts'

const push = sampleEvent()
const tag = sampleEvent({ ref: 'refs/tags/v1.2' })
const release = sampleEvent({ ref: 'refs/tags/v1.2.3' })
const pr = sampleEvent({ eventName: 'pull_request', ref: 'refs/pull/7/merge', baseRef: 'next' })
const schedule = sampleEvent({ eventName: 'schedule' })

const tags = (lines: readonly string[], event: TagEvent, flavor: readonly string[] = []) =>
  tagsFor(lines, event, readFlavor(flavor)).tags
const warnings = (lines: readonly string[], event: TagEvent) => tagsFor(lines, event).warnings

test('without a list each event has its name', () => {
  assert.deepEqual(tags([], push), ['main'])
  assert.deepEqual(tags([], sampleEvent({ ref: 'refs/heads/feature/x y' })), ['feature-x-y'])
  assert.deepEqual(tags([], tag), ['v1.2', 'latest'])
  assert.deepEqual(tags([], pr), ['pr-7'])
  assert.deepEqual(tags([], schedule), ['nightly', 'main'])
})

test('lines are ordered by priority, and repeats are left out', () => {
  assert.deepEqual(tags(['type=sha', 'type=raw,value=x', 'y', 'type=ref,event=branch', 'x'], push), [
    ...['main', 'x', 'y', 'sha-0123456'],
  ])
  assert.deepEqual(tags(['type=sha,format=long,prefix=', 'type=raw,value=x,priority=50'], push), [sha, 'x'])
  assert.deepEqual(
    tags(['type=raw,value=x,enable=false', 'z,prefix=a-,suffix=-b', 'latest'], tag, ['latest=true']),
    [...['a-z-b', 'latest']],
  )
})

test('a version gives what its pattern says; what is not final gives itself alone, and never latest', () => {
  const lines = ['{{version}}', '{{major}}.{{minor}}', 'v{{major}}'].map(
    pattern => `type=semver,pattern=${pattern}`,
  )
  assert.deepEqual(tags(lines, release), ['1.2.3', '1.2', 'v1', 'latest'])
  assert.deepEqual(tags(lines, sampleEvent({ ref: 'refs/tags/v2.0.0-rc.1' })), ['2.0.0-rc.1'])
  assert.deepEqual(tags(['type=semver,pattern={{raw}}'], sampleEvent({ ref: 'refs/tags/v2.0.0-rc.1' })), [
    'v2.0.0-rc.1',
  ])
  assert.deepEqual(tags(lines, push), [])
  assert.deepEqual(tags(['type=pep440,pattern={{version}}'], sampleEvent({ ref: 'refs/tags/v1.0rc1' })), [
    '1.0rc1',
  ])
  const normal = ['v01.02-ALPHA.03', '1!2.0.post04+Deb.05', '1-7', '1.0.dev'].map(
    value => `type=pep440,pattern={{version}},value=${value}`,
  )
  assert.deepEqual(tags(normal, push), ['1.2a3', '1-2.0.post4-deb-5', '1.post7', '1.0.dev0'])
  assert.deepEqual(tags(['type=semver,pattern={{version}},value=p/v3.1.0,match=p/(.*)'], push), [
    '3.1.0',
    'latest',
  ])
})

test('what no tag is made of is said, once', () => {
  const lines = [
    'type=semver,pattern={{version}}',
    'type=semver,pattern={{major}}',
    'type=match,pattern=x(y)',
  ]
  assert.deepEqual(warnings(lines, tag), [
    "'v1.2' is no semantic version (https://semver.org), so no tag is made of it.",
    "pattern=x(y) does not match 'v1.2', so no tag is made of it.",
  ])
  assert.deepEqual(warnings(lines, push), [])
  assert.deepEqual(warnings(['type=match,pattern=v(x)?,group=1'], tag).length, 1)
  assert.deepEqual(warnings(['type=pep440,pattern={{version}},match=(y)'], tag), [
    "match=(y) does not match 'v1.2', which is taken as it is.",
  ])
  const unknown = { ...push, project: {} }
  assert.match(warnings(['type=edge'], unknown).join(), /does not say which branch/)
  assert.deepEqual([tags(['type=edge'], unknown), tags(['type=edge'], push)], [[], ['edge']])
})

test('expressions stand for what the event says', () => {
  const line = '{{branch}}.{{tag}}.{{sha}}.{{base_ref}}.{{is_default_branch}}.{{is_not_default_branch}}'
  assert.deepEqual(tags([line, `x,prefix={{date 'YYYYMMDD'}}-,enable={{is_default_branch}}`], push), [
    ...['main..0123456..true.false', '20261121-x'],
  ])
  assert.deepEqual(tags([`x${line}`, 'x,enable={{is_default_branch}}'], pr), ['x..0123456.next.false.true'])
  assert.deepEqual(tags([`value={{commit_date 'YYYY-MM-DD[T]HH' tz='Asia/Tokyo'}}`], push), ['2026-11-20T17'])
  assert.deepEqual(tags(['{{#if tag}}{{tag}}{{else if branch}}b-{{branch}}{{/if}}'], push), ['b-main'])
  assert.deepEqual(tags(['{{#unless is_default_branch}}x{{else}}y{{/unless}}'], pr), ['x'])
  assert.throws(() => tags([`{{commit_date 'YYYY'}}`], { ...push, commitDate: undefined }), /git cannot tell/)
})

test('a branch has no base, and some events are always for the default branch', () => {
  const branch = sampleEvent({ ref: 'refs/heads/x', baseRef: 'main' })
  const lines = ['x{{base_ref}}', 'default,enable={{is_default_branch}}']
  assert.deepEqual(tags(lines, branch), ['x'])
  assert.deepEqual(tags(lines, { ...branch, eventName: 'schedule', project: {} }), ['x', 'default'])
})

test('what an expression gives is not read as one again, and is no HTML', () => {
  assert.deepEqual(tags(['{{branch}}'], sampleEvent({ ref: "refs/heads/{{sha}}&'x=" })), ['sha-x-'])
})

test('enable=false is not looked at further, but must be right', () => {
  assert.deepEqual(
    tags(['type=semver,pattern={{version}},enable=false', 'x,enable={{is_not_default_branch}}', 'y'], push),
    ['y'],
  )
  assert.throws(() => tags(['type=nothing,enable=false'], push), /'nothing' is no type/)
  assert.throws(() => tags(['type=sha,enable=maybe'], push), /enable=maybe/)
  assert.throws(() => tags(['type=sha,enable={{branch}}'], push), /enable=main is neither/)
})

test('a value that is empty, or has nothing that a tag may have, gives no tag', () => {
  assert.deepEqual(tags(['type=raw,value=', 'type=ref,event=tag,priority=1'], tag), ['v1.2', 'latest'])
  assert.deepEqual(tags(['..-', 'type=raw,value=,prefix=p', '.x'], push), ['p', 'x'])
  assert.throws(() => tags(['x,'], push), /empty field/)
})

test('latest comes with a git tag only when its rule is the first, and as the flavor says', () => {
  assert.deepEqual(tags(['type=sha', 'type=ref,event=tag'], tag), ['v1.2', 'sha-0123456', 'latest'])
  assert.deepEqual(tags(['type=raw,value=x,priority=700', 'type=ref,event=tag'], tag), ['x', 'v1.2'])
  assert.deepEqual(tags([], { ...tag, eventName: 'schedule' }), ['nightly', 'v1.2'])
  assert.deepEqual(tags(['type=ref,event=tag'], push), [])
  assert.deepEqual(tags(['type=ref,event=tag'], tag, ['latest=false']), ['v1.2'])
  assert.deepEqual(tags([], push, ['latest=true', 'suffix=-{{branch}}', 'prefix=p-,onlatest=true']), [
    'p-main-main',
    'p-latest',
  ])
  assert.deepEqual(tags(['a,prefix=', 'type=sha'], push, ['prefix=p-']), ['a', 'sha-0123456'])
})

test('every line that is not understood is named, whatever the event', () => {
  const lines: [string, RegExp][] = [
    ['type=semver', /needs a pattern/],
    ['type=raw', /needs a value/],
    ['type=nothing', /no type of/],
    ['type=constructor', /no type of/],
    ['type=sha,colour=red', /no attribute 'colour'/],
    ['type=sha,format=medium', /format=medium/],
    ['type=ref,event=push', /event=branch, tag or pr/],
    ['type=semver,pattern={{verison}}', /\{\{verison\}\} is not known here: there are raw, version/],
    ['type=semver,pattern={{constructor}}', /not known here/],
    ['type=semver,pattern={{version.length}}', /not known here/],
    ['type=semver,pattern={{branch}}', /not known here/],
    ['type=semver,pattern={{version}},match=v', /needs a group/],
    ['type=match,pattern=(', /is not a regular expression/],
    ['type=match,pattern=/x/q', /is not a regular expression/],
    ['type=match,pattern=x(y),group=2', /no such group/],
    ['type=match,pattern=x(y),group=one', /not a whole number/],
    ['x,priority=high', /priority=high is not a number/],
    ['x{{', /cannot be read/],
    ['{{#each tag}}x{{/each}}', /other than/],
    ['{{> tag}}', /of a kind/],
    ['{{tag upper}}', /takes nothing/],
    [`{{date}}`, /takes a format/],
    [`{{date 'YYYYYMM'}}`, /a date cannot have 'YYYYY'/],
    [`value={{date 'z' tz='Asia/Tokyo'}}`, /a date cannot have 'z'/],
    [`value={{date 'YYYY' tz='Mars/Base'}}`, /'Mars\/Base' is not a time zone/],
    [`value={{date 'YYYY' zone='UTC'}}`, /has no zone=/],
    [`{{date 'dddd, MMMM'}}`, /needs quotes/],
    ['a"b', /double quote in the middle/],
  ]
  for (const event of [push, tag, pr]) {
    assert.throws(
      () =>
        tagsFor(
          lines.map(([line]) => line),
          event,
        ),
      (error: Error) => {
        assert.ok(error instanceof UserError)
        const said = error.message.split('\n')
        for (const [line, what] of lines) {
          const own = said.find(text => text.startsWith(`  - ${line}: `))
          assert.match(own ?? '', what, line)
        }
        return true
      },
    )
  }
})

test('a list is read as CSV is: comments, quotes, and lines that end anywhere', () => {
  assert.deepEqual(entriesOf('# no\r\n  # nor this\r\n\n type=raw,value=x \n"y"\n'), [
    'type=raw,value=x',
    'y',
  ])
  assert.deepEqual(tags(entriesOf(`type=raw,"""value={{date 'dddd, MMMM'}}"""`), push), ['Saturday-November'])
  assert.throws(() => entriesOf('a\n"b\nc'), /^UserError: "b: has a double quote that is not closed/)
})

const text = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.stringMatching(
    /^(type=(semver|pep440|match|raw|edge|sha|ref|schedule))(,(pattern|value|match|event|group|priority|enable)=[\w{}#/ '"().-]{0,12}){0,3}$/,
  ),
  fc
    .array(
      fc.constantFrom(
        '{{',
        '}}',
        '{{#if tag}}',
        '{{/if}}',
        "{{date 'Y'}}",
        'value=',
        'type=raw',
        ',',
        '"',
        '=',
        'tag',
        '-',
        '.',
        '\n',
        'ä',
      ),
    )
    .map(parts => parts.join('')),
)
const anyEvent = fc
  .record({
    eventName: fc.constantFrom('push', 'schedule', 'pull_request', 'create', 'merge_group'),
    name: fc.string({ minLength: 1, unit: 'grapheme' }),
    kind: fc.constantFrom('heads', 'tags', 'pull'),
  })
  .map(({ eventName, name, kind }) => sampleEvent({ eventName, ref: `refs/${kind}/${name}` }))

test('whatever is asked for, a tag is one that a registry takes, once; what is not understood is an error in words', () => {
  fc.assert(
    fc.property(
      fc.array(text, { maxLength: 4 }),
      fc.array(text, { maxLength: 2 }),
      anyEvent,
      (list, flavor, event) => {
        try {
          const made = tags(entriesOf(list.join('\n')), event, entriesOf(flavor.join('\n')))
          for (const each of made) assert.match(each, /^\w[\w.-]{0,127}$/)
          assert.equal(new Set(made).size, made.length)
        } catch (error) {
          if (!(error instanceof UserError)) throw error
        }
      },
    ),
    { numRuns: 2000 },
  )
})

test('tags come in the order of their priorities, and then of the list', () => {
  const priority = fc.integer({ min: 0, max: 9 })
  fc.assert(
    fc.property(fc.array(priority, { maxLength: 12 }), priorities => {
      const lines = priorities.map((each, at) => `t${at},priority=${each}`)
      const expected = priorities
        .map((each, at) => ({ each, at }))
        .sort((a, b) => b.each - a.each || a.at - b.at)
        .map(({ at }) => `t${at}`)
      if (lines.length > 0) assert.deepEqual(tags(lines, push), expected)
    }),
  )
})

test("what another step gives as its tags is refused, since the image's name would be made a tag", () => {
  for (const line of ['ghcr.io/o/app:latest', 'latest,v1', 'o/app:latest,o/app:v1'])
    assert.throws(
      () => tagsFor([line], sampleEvent()),
      /has more than one tag in it: each is on a line of its own/,
    )
  assert.deepEqual(tagsFor(['feature/x', "{{date 'HH:mm'}}"], sampleEvent()).tags[0], 'feature-x')
})

test('a flavor whose date nobody knows is an error in words, too', () => {
  const flavor = readFlavor(['latest=true', "prefix={{commit_date 'YYYY'}},onlatest=true"])
  assert.throws(() => tagsFor(['x,prefix='], sampleEvent({ commitDate: undefined }), flavor), UserError)
})
