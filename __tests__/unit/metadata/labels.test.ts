import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { tagEvent, withCommitDate } from '../../../src/metadata/event.ts'
import { annotationsFor, labelsFor } from '../../../src/metadata/labels.ts'
import { entriesOf } from '../../../src/metadata/list.ts'
import { UserError } from '../../../src/util/errors.ts'
import { sampleEvent, sha } from './sample.ts'

const push = sampleEvent()
const image = (name: string) => `org.opencontainers.image.${name}`
const always = {
  [image('description')]: 'A program',
  [image('licenses')]: 'MIT',
  [image('source')]: 'https://github.com/o/app',
  [image('title')]: 'app',
  [image('url')]: 'https://github.com/o/app',
}

test('there are no labels but those that are asked for', () => {
  assert.deepEqual(labelsFor([], push, 'main'), {})
  assert.deepEqual(labelsFor(['b=x=y', 'a={{branch}}-{{sha}}', 'b=', 'c=a, "b"'], push, 'main'), {
    ...{ a: 'main-0123456', b: '', c: 'a, "b"' },
  })
})

test('a name alone is enough for what the event says', () => {
  const names = ['created', 'description', 'licenses', 'revision', 'source', 'title', 'url', 'version']
  assert.deepEqual(labelsFor(names.map(image), push, 'v1'), {
    ...always,
    [image('created')]: '2026-11-20T08:15:00.000Z',
    [image('revision')]: sha,
    [image('version')]: 'v1',
  })
  const epoch = sampleEvent({ commitDate: undefined, created: new Date(1000) })
  assert.equal(labelsFor([image('created')], epoch, 'v1')[image('created')], '1970-01-01T00:00:01.000Z')
  const local = sampleEvent({ project: {} })
  assert.deepEqual(labelsFor([...names.slice(1, 3), 'version'].map(image), local, undefined), {})
  assert.throws(
    () => labelsFor([image('created')], sampleEvent({ commitDate: undefined, created: undefined }), 'v1'),
    /image\.created: needs the date of the commit, which git cannot tell/,
  )
})

test('annotations are what is the same for every commit, and what is asked for', () => {
  const both = (annotations: object) => ({ manifest: annotations, index: annotations })
  const other = sampleEvent({
    sha: 'f'.repeat(40),
    ref: 'refs/tags/v2',
    now: new Date(0),
    commitDate: new Date(0),
  })
  assert.deepEqual(annotationsFor([], push, 'main'), both(always))
  assert.deepEqual(annotationsFor([], other, 'v2'), both(always))
  assert.deepEqual(
    annotationsFor([], sampleEvent({ project: { name: 'app', license: 'NOASSERTION' } }), 'main'),
    {
      ...both({ [image('title')]: 'app' }),
    },
  )
  const lines = ['a=1', 'manifest:b=2', 'index:b=3', 'manifest,index:c={{sha}}', `${image('title')}=Other`]
  const { manifest, index } = annotationsFor(
    [...lines, `index:${image('url')}=`, image('revision')],
    push,
    'main',
  )
  const common = { ...always, a: '1', c: '0123456', [image('title')]: 'Other', [image('revision')]: sha }
  const { [image('url')]: _, ...withoutUrl } = common
  assert.deepEqual(manifest, { ...common, b: '2' })
  assert.deepEqual(index, { ...withoutUrl, b: '3' })
  assert.deepEqual(Object.keys(manifest), Object.keys(manifest).toSorted())
})

test('a description is cut where the package page cuts it, and stays text', () => {
  const project = { description: `${'x'.repeat(511)}🙂` }
  const { manifest } = annotationsFor([], sampleEvent({ project }), 'main')
  assert.equal(manifest[image('description')]?.length, 512)
  assert.ok(manifest[image('description')]?.isWellFormed())
})

test('every line that is not understood is named', () => {
  const lines: [string, RegExp][] = [
    ['maintainer', /needs a value/],
    [image('vendor'), /needs a value/],
    [image('constructor'), /needs a value/],
    ['=x', /has no name/],
    ['a b=x', /white space/],
    ['a.{{branch}}=x', /expression in its name/],
    ['a={{nothing}}', /\{\{nothing\}\} is not known/],
    ['io.github.nix-image-action.image=x', /the action's own/],
  ]
  const onAnnotations: [string, RegExp][] = [
    ['manifest-descriptor:a=x', /manifest-descriptor: is neither/],
    ['index,manifest,both:a=x', /is neither/],
    ['index:=x', /has no name/],
  ]
  const saysAll = (rows: typeof lines) => (error: Error) => {
    assert.ok(error instanceof UserError)
    for (const [line, what] of rows)
      assert.match(error.message.split('\n').find(text => text.startsWith(`  - ${line}: `)) ?? '', what, line)
    return true
  }
  const texts = (rows: typeof lines) => rows.map(([line]) => line)
  assert.throws(() => labelsFor(texts(lines), push, 'main'), saysAll(lines))
  const all = [...lines, ...onAnnotations]
  assert.throws(() => annotationsFor(texts(all), push, 'main'), saysAll(all))
  // A name may have a colon.
  assert.deepEqual(labelsFor(['index:a=x'], push, 'main'), { 'index:a': 'x' })
  assert.equal(annotationsFor(['other:a=x'], push, 'main').manifest['other:a'], 'x')
})

test('whatever is asked for, labels and annotations are texts under names, or an error in words', () => {
  const part = fc.constantFrom(
    'a',
    image('version'),
    '__proto__',
    'index:',
    'manifest:',
    '=',
    '{{sha}}',
    '{{',
    '"',
    ' ',
    '\n',
    '🙂',
  )
  fc.assert(
    fc.property(
      fc.array(part).map(parts => parts.join('')),
      text => {
        for (const read of [labelsFor, annotationsFor]) {
          try {
            const made = read(entriesOf(text), push, 'main')
            const maps = 'manifest' in made ? [made.manifest, made.index] : [made]
            for (const [name, value] of maps.flatMap(map => Object.entries(map))) {
              assert.match(name, /^[^\s=]+$/)
              assert.equal(typeof value, 'string')
            }
          } catch (error) {
            if (!(error instanceof UserError)) throw error
          }
        }
      },
    ),
    { numRuns: 1000 },
  )
})

test("the variables of docker/metadata-action, and SOURCE_DATE_EPOCH, are the event's", () => {
  const source = { ...push, eventName: 'pull_request', headSha: 'b'.repeat(40) }
  const of = (env: NodeJS.ProcessEnv) => tagEvent(source, env, push.now)
  assert.deepEqual([of({}).sha, of({}).shaLength, of({}).created], [sha, 7, undefined])
  const set = of({
    DOCKER_METADATA_PR_HEAD_SHA: 'true',
    DOCKER_METADATA_SHORT_SHA_LENGTH: '12',
    SOURCE_DATE_EPOCH: '86400',
  })
  assert.deepEqual([set.sha, set.shaLength, set.created], [source.headSha, 12, new Date(86_400_000)])
  assert.deepEqual(withCommitDate(set, new Date(0)).created, new Date(86_400_000))
  assert.deepEqual(withCommitDate(of({}), new Date(0)).created, new Date(0))
  const pushed = tagEvent({ ...source, eventName: 'push' }, { DOCKER_METADATA_PR_HEAD_SHA: 'true' }, push.now)
  assert.equal(pushed.sha, sha)
  assert.throws(
    () => of({ SOURCE_DATE_EPOCH: 'yesterday' }),
    /SOURCE_DATE_EPOCH is 'yesterday', which is not/,
  )
})
