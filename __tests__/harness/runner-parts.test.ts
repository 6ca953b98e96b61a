import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { evaluate, inputVariables, postRuns, readAction } from './runner/action.ts'
import { parseCommand, StepLog } from './runner/commands.ts'
import { parseEnvFile, parsePathFile } from './runner/env-files.ts'
import { Masks } from './runner/masks.ts'

test('commands are read as the runner reads them', () => {
  const table: [string, ReturnType<typeof parseCommand>][] = [
    ['::error::It broke', { name: 'error', properties: {}, data: 'It broke' }],
    [
      '  ::Warning file=a b.ts,line=3, col=5::50%25 of%0A::both',
      { name: 'warning', properties: { file: 'a b.ts', line: '3', col: '5' }, data: '50% of\n::both' },
    ],
    ['::notice title=a%3A b%2C c=d::x', { name: 'notice', properties: { title: 'a: b, c=d' }, data: 'x' }],
    ['::error file=,line=3::x', { name: 'error', properties: { line: '3' }, data: 'x' }],
    ['::set-output name=x::%250A', { name: 'set-output', properties: { name: 'x' }, data: '%0A' }],
    ['log: ##[error file=a;line=1]x', { name: 'error', properties: { file: 'a', line: '1' }, data: 'x' }],
    ['::endgroup::', { name: 'endgroup', properties: {}, data: '' }],
    ['text ::error::no', undefined],
    ['::error no end', undefined],
    ['C::D', undefined],
    ['', undefined],
  ]
  for (const [line, command] of table) assert.deepEqual(parseCommand(line), command, line)
})

test('whatever is escaped as the documentation says comes out of a command again', () => {
  const data = (text: string) => text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
  const property = (text: string) => data(text).replaceAll(':', '%3A').replaceAll(',', '%2C')
  const value = fc.string({ minLength: 1 }).filter(text => text.trim() === text)
  fc.assert(
    fc.property(value, fc.string(), (title, message) => {
      const { properties, data: said } =
        parseCommand(`::error title=${property(title)}::${data(message)}`) ?? {}
      assert.deepEqual([properties?.title, said], [title, message])
    }),
  )
})

test('commands do what they say, and stop when they are stopped', () => {
  const log = new StepLog(new Masks(['s3cret-token']))
  const lines = [
    '::group::One',
    'in one s3cret-token',
    '::group::Two',
    '::error file=f,line=1,endLine=2,col=3,endColumn=4,title=T::bad',
    '::endgroup::',
    '::unknown::stays',
    '::stop-commands::resume-77',
    '::error::not an error',
    '::resume-77::',
    '::debug::hidden',
    '::add-mask:: ',
    '::save-state name=s::1',
    '::set-output name=o::2',
    '::group::open',
    'last',
  ]
  for (const line of lines) log.line(line)
  log.end()
  assert.deepEqual(log.errors, [
    { message: 'bad', title: 'T', file: 'f', line: 1, endLine: 2, col: 3, endColumn: 4 },
  ])
  assert.deepEqual(log.groups, [
    { title: 'One', lines: ['in one ***'] },
    { title: 'Two', lines: ['##[error]bad'] },
    { title: 'open', lines: ['last'] },
  ])
  assert.ok(log.log.includes('::unknown::stays') && log.log.includes('::error::not an error'))
  assert.ok(!log.log.some(line => line.includes('hidden')))
  assert.equal(log.warnings.length, 1)
  assert.deepEqual(
    [...log.state, ...log.outputs],
    [
      ['s', '1'],
      ['o', '2'],
    ],
  )
  assert.equal(log.failed, false)
  log.line('::set-env name=PATH::/evil')
  assert.equal(log.failed, true)
})

test('a mask hides every line of a secret and its encodings', () => {
  const masks = new Masks(['line one\nline two'])
  assert.equal(masks.apply('x line two y'), 'x *** y')
  assert.doesNotMatch(masks.apply(Buffer.from('me:line one').toString('base64')), /bGluZSBvbm|xpbmUgb25/)
  masks.add('line')
  assert.equal(masks.apply('line one'), '***')
})

test('files of names and values are read as the runner reads them', () => {
  const table: [string, Record<string, string> | RegExp][] = [
    ['', {}],
    ['A=1\n\nB=x=y\nA=2', { A: '2', B: 'x=y' }],
    ['A=<<B\n', { A: '<<B' }],
    ['A<<E=F\none\n\ntwo\nE=F\nB=1\n', { A: 'one\n\ntwo', B: '1' }],
    ['A<<E\nE\n', { A: '' }],
    ['A=x\r\n', { A: 'x\r' }],
    ['A<<E\none\n', /Matching delimiter not found 'E'/],
    ['<<E\nE\n', /Name must not be empty/],
    ['A<<\n\n', /delimiter must not be empty/],
    ['no sense', /Invalid format 'no sense'/],
  ]
  for (const [text, expected] of table) {
    if (expected instanceof RegExp) assert.throws(() => parseEnvFile(text), expected)
    else assert.deepEqual(Object.fromEntries(parseEnvFile(text)), expected)
  }
  fc.assert(
    fc.property(fc.dictionary(fc.stringMatching(/^[A-Z_]+$/), fc.string()), values => {
      const text = Object.entries(values).map(
        ([name, value]) => `${name}<<ghadelimiter_1\n${value}\nghadelimiter_1\n`,
      )
      assert.deepEqual(Object.fromEntries(parseEnvFile(text.join(''))), { ...values })
    }),
  )
  assert.deepEqual(parsePathFile('/a\r\n\n/b'), ['/a', '/b'])
})

test('inputs have the defaults of action.yml with what the job knows put in', async () => {
  const action = await readAction(`${import.meta.dirname}/../..`)
  const github = { actor: 'mona', token: 'ghs_x', repository: 'octo-org/hello' }
  const { variables, unexpected } = inputVariables(action, { Image: '.#docker', typo: '1' }, github)
  assert.equal(variables.INPUT_NAME, 'ghcr.io/octo-org/hello')
  assert.equal(variables.INPUT_USERNAME, 'mona')
  assert.equal(variables.INPUT_PASSWORD, 'ghs_x')
  assert.equal(variables['INPUT_GITHUB-TOKEN'], 'ghs_x')
  assert.equal(variables.INPUT_IMAGE, '.#docker')
  assert.equal(variables.INPUT_TAGS, '')
  assert.deepEqual(unexpected, ['typo'])
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is an expression of workflows
  assert.throws(() => evaluate('${{ secrets.X }}', github), /cannot evaluate \$\{\{ secrets\.X \}\}/)
})

test('post steps run under their condition', () => {
  assert.deepEqual(
    [postRuns('always()', false), postRuns('success()', false), postRuns(' failure() ', false)],
    [true, false, true],
  )
  assert.throws(() => postRuns("runner.os == 'Linux'", true), /cannot evaluate/)
})
