import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseImageTest } from '../../src/container/image-test.ts'
import { UserError } from '../../src/util/errors.ts'

function problemsOf(text: string): string {
  try {
    parseImageTest(text)
  } catch (error) {
    assert.ok(error instanceof UserError, String(error))
    return error.message
  }
  return assert.fail(`accepted ${JSON.stringify(text)}`)
}

test('nothing, and nothing but comments, is no test', () => {
  for (const text of ['', ' \n', '# a comment\n\n  # another']) assert.equal(parseImageTest(text), undefined)
})

test('plain lines are commands, each split into words', () => {
  assert.deepEqual(
    parseImageTest('redis-server --version\r\n\n# why\n sh -c \'a && b\' "c d" # why\ntimeout: 60'),
    {
      kind: 'commands',
      timeout: 60,
      lines: ['redis-server --version', `sh -c 'a && b' "c d" # why`],
      commands: [
        { line: 'redis-server --version', argv: ['redis-server', '--version'] },
        { line: `sh -c 'a && b' "c d" # why`, argv: ['sh', '-c', 'a && b', 'c d'] },
      ],
    },
  )
  assert.equal(parseImageTest('true')?.timeout, 300)
  // What is quoted, or in a comment, is nobody's operator.
  const quoted = parseImageTest(`sh -c "a && it's; b" c\\&d 'e $f' # why & what`)
  assert.deepEqual(quoted?.kind === 'commands' && quoted.commands[0]?.argv, [
    ...['sh', '-c', "a && it's; b", 'c&d', 'e $f'],
  ])
  const literal = parseImageTest(`x '*' "a?b[c]" \\* '{a,b}' \\~ '~' a~ 'a'~ ""~ {} {{.Id}} [ "FOO"=1 F=1`)
  assert.deepEqual(literal?.kind === 'commands' && literal.commands[0]?.argv, [
    ...['x', '*', 'a?b[c]', '*', '{a,b}', '~', '~', 'a~', 'a~', '~', '{}', '{{.Id}}', '[', 'FOO=1', 'F=1'],
  ])
  for (const text of ["'FOO=1' x", '"FOO"=1 x', '[ -e /data ]', 'start: a=1\nwait: port 1'])
    assert.doesNotThrow(() => parseImageTest(text), text)
  assert.deepEqual(parseImageTest("'start:' x")?.lines, ["'start:' x"])
})

test('a service: its arguments, and steps in their order', () => {
  const text =
    "start: --save ''\nwait: port 6379\nrun: redis-cli ping\nwait: log  It's \"up\" & ready\nrun: 'a b'"
  assert.deepEqual(parseImageTest(text), {
    kind: 'service',
    timeout: 300,
    lines: text.split('\n'),
    arguments: ['--save', ''],
    steps: [
      { kind: 'port', line: 'wait: port 6379', port: 6379 },
      { kind: 'run', line: 'run: redis-cli ping', argv: ['redis-cli', 'ping'] },
      { kind: 'log', line: `wait: log  It's "up" & ready`, text: `It's "up" & ready` },
      { kind: 'run', line: "run: 'a b'", argv: ['a b'] },
    ],
  })
  const bare = parseImageTest('timeout: 1\nstart:\nwait: port 1')
  assert.deepEqual(bare?.kind === 'service' && bare.arguments, [])
})

test('what is waited for in the log may stand in quotes, as a command may', () => {
  const awaited = (text: string) => {
    const parsed = parseImageTest(`start:\nwait: log ${text}`)
    const [step] = parsed?.kind === 'service' ? parsed.steps : []
    return step?.kind === 'log' && step.text
  }
  for (const [text, found] of [
    ['Ready', 'Ready'],
    ['"Ready"', 'Ready'],
    ["'Ready to accept'", 'Ready to accept'],
    [`'"msg":"up"'`, '"msg":"up"'],
    [String.raw`"a \"b\" \\"`, 'a "b" \\'],
    ["' two '", ' two '],
    // Quotes in a text are its own, and so is what shells would read.
    [`It's "up"`, `It's "up"`],
    ['a && $b | # c', 'a && $b | # c'],
  ] as const)
    assert.equal(awaited(text), found, text)
})

test('everything else is refused, all of it at once', () => {
  for (const [text, words] of [
    ['wait: port 1', /^'wait: port 1' needs a line start: above it$/],
    ['run: x\nstart:\nwait: port 1', /^'run: x' needs a line start: above it$/],
    ['start:', /^nothing is waited for or run after start:$/],
    ['start:\nwait: port 1\nredis-cli ping', /'redis-cli ping' stands beside start: .*'run: redis-cli ping'/],
    ['start:\nstart:\nwait: port 1', /^there are two lines start:$/],
    ['x\ntimeout: 1\ntimeout: 2', /^there are two lines timeout:$/],
    ['timeout: 5', /^there is a timeout, and nothing to run$/],
    ['x\ntimeout: 0', /^'timeout: 0' is not a number of seconds from 1 to 21600$/],
    ['x\ntimeout: 5m', /'timeout: 5m' is not a number of seconds/],
    ['x\ntimeout: 21601', /is not a number of seconds/],
    ['start:\nwait: port 65536', /'wait: port 65536' is neither/],
    ['start:\nwait: port 0', /is neither/],
    ['start:\nwait: port', /is neither/],
    ['start:\nwait: log', /is neither/],
    [`start:\nwait: log "msg":"up"`, /^'wait: log "msg":"up"': a text that begins with a quote is to stand/],
    ["start:\nwait: log 'up", /stand in quotes as a whole$/],
    ["start:\nwait: log 'a' b", /stand in quotes as a whole$/],
    ["start:\nwait: log ''", /stand in quotes as a whole$/],
    ['start:\nwait: 6379', /'wait: 6379' is neither 'wait: port' with a number/],
    ['start:\nrun:', /^'run:' names no program$/],
    ["''", /^'''' names no program$/],
    ['Start: x', /^'Start:' is none of start:, wait:, run:, timeout:/],
    ['strat: x\ntrue', /^'strat:' is none of/],
    [`sh -c 'a`, /^'sh -c 'a': the single quote before 'a' is not closed$/],
    ['a \\', /ends in a backslash$/],
    ['a && b', /^'a && b': no shell reads this, and & is for one: quote it, or write sh -c '…'$/],
    ['start: $X\nwait: port 1', /^'start: \$X': no shell reads this, and \$ is for one/],
    ['a "$(b)"', /and \$ is for one/],
    ['a; b', /and ; is for one/],
    ['a `b`', /and ` is for one/],
    ['a \\ #<', /and < is for one/],
    ['cat *.conf', /and \* is for one/],
    ['cat a?b', /and \? is for one/],
    ['cat [ab]', /and \[ is for one/],
    [`cat ["a b"]`, /and \[ is for one/],
    ['cat {a,b}', /and \{ is for one/],
    ['seq {1..3}', /and \{ is for one/],
    ['~/app', /and ~ is for one/],
    ['start: ~root\nwait: port 1', /and ~ is for one/],
    ['FOO=1 app', /^'FOO=1 app': no shell reads this, and FOO= is for one: write env FOO=1 app$/],
    [`start:\nrun: A='b c' app`, /^'run: A='b c' app': .* and A= is for one: write env A='b c' app$/],
    ['a | b\nwait: port 1\nc >d', /^.*and \| is.*\n'wait: port 1' needs.*\n.*and > is.*$/],
  ] as const)
    assert.match(problemsOf(text), words)
})

test('what is taken for a command has the words that shells see', () => {
  // Everything that they give a meaning; bash also to braces.
  const line = fc.string({
    unit: fc.constantFrom(...'ab  =:-\'"\\#&|;<>()$`!{},.*?[]~'),
    minLength: 1,
    maxLength: 14,
  })
  let accepted = 0
  fc.assert(
    fc.property(line, text => {
      let argv: readonly string[] | undefined
      try {
        const parsed = parseImageTest(text)
        argv = parsed?.kind === 'commands' ? parsed.commands[0]?.argv : undefined
      } catch (error) {
        assert.ok(error instanceof UserError, String(error))
      }
      if (argv === undefined) return
      accepted++
      // No program can be found, and no file be written.
      const script = `set -- ${text.trim()}\nfor word; do printf '%s\\0' "$word"; done`
      for (const shell of ['/bin/sh', '/bin/bash']) {
        const options = { encoding: 'utf8', cwd: '/proc/self', env: { PATH: '/nonexistent' } } as const
        const { stdout } = spawnSync(shell, ['-c', script], options)
        assert.deepEqual(argv, stdout.split('\0').slice(0, -1), shell)
      }
    }),
  )
  assert.ok(accepted > 5, `${accepted} were accepted`)
})

test('a text of any kind is read or refused', () => {
  const word = fc.constantFrom(
    'start:',
    'wait:',
    'run:',
    'timeout:',
    'port',
    'log',
    '80',
    ' ',
    '\n',
    "'",
    'x',
    '#',
    '$',
  )
  fc.assert(
    fc.property(fc.array(word, { maxLength: 12 }), words => {
      const text = words.join('')
      try {
        const parsed = parseImageTest(text)
        if (parsed === undefined) return
        assert.ok(parsed.lines.length > 0 && parsed.timeout > 0)
        // What it takes for the lines says the same again.
        const again = parseImageTest(parsed.lines.join('\n'))
        assert.deepEqual({ ...again, timeout: parsed.timeout }, parsed)
      } catch (error) {
        assert.ok(error instanceof UserError, String(error))
      }
    }),
  )
})
