import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { globFiles } from '../../../src/check/configs/glob.ts'
import { parseIni } from '../../../src/check/configs/ini.ts'
import { parseNginx } from '../../../src/check/configs/nginx-config.ts'
import { optionOf } from '../../../src/check/configs/started.ts'
import { parseUnit } from '../../../src/check/configs/unit.ts'
import type { RootFs } from '../../../src/image/rootfs/model.ts'
import { inspected } from '../../harness/inspected.ts'

/** An image whose folders say themselves what they have. */
const none: RootFs = {
  find: () => undefined,
  look: () => undefined,
  list: () => [],
  read: () => Buffer.alloc(0),
  named: () => [],
  close: async () => {},
}

const ini = (...texts: string[]) => {
  const { sections, refused } = parseIni(texts.map((text, i) => ({ path: `/${i}`, text })))
  const values = [...sections].map(([name, { line, values }]) => [
    name,
    line,
    ...[...values].map(([key, { text, file, line }]) => `${key}=${text} ${file}:${line}`),
  ])
  return { values, refused: refused.map(({ file, line }) => `${file}:${line}`) }
}

test('ini: comments, lines that go on, sections that are opened again', () => {
  assert.deepEqual(
    ini(
      `; first
[a]
Key = one ; not this
other: two;this # nor this
long = begin
  end
# between
\tand more

[b]
[a]
key=three
`,
      '[b]\nx=1\n[c]\n',
    ),
    {
      values: [
        ['a', 2, 'key=three /0:12', 'other=two;this /0:4', 'long=begin\nend\nand more /0:5'],
        ['b', 10, 'x=1 /1:2'],
        ['c', 3],
      ],
      refused: [],
    },
  )
})

test('ini: what is none of these is refused', () => {
  assert.deepEqual(ini('key=before\n[a]\nwhat is this\n=nothing\n').refused, ['/0:1', '/0:3', '/0:4'])
})

const word = fc.stringMatching(/^[a-z][a-z0-9_]{0,8}$/)
const text = fc.stringMatching(/^[!-~]([ -~]{0,20}[!-~])?$/).filter(text => !/(^|\s)[;#]/.test(text))

test('ini: what is written is read, with its line', () => {
  const section = fc.tuple(
    word,
    fc.uniqueArray(fc.tuple(word, text), { selector: ([key]) => key, maxLength: 5 }),
  )
  const file = fc.uniqueArray(section, { selector: ([name]) => name, maxLength: 4 })
  const noise = fc.constantFrom('', '; a comment', '  # another')
  fc.assert(
    fc.property(file, fc.infiniteStream(noise), (sections, noises) => {
      const lines: string[] = []
      const expected = sections.map(([name, values]) => {
        lines.push(noises.next().value ?? '', `[${name}]`)
        const line = lines.length
        const written = values.map(([key, value]) => {
          lines.push(noises.next().value ?? '', `${key} = ${value}`)
          return `${key}=${value} /0:${lines.length}`
        })
        return [name, line, ...written]
      })
      assert.deepEqual(ini(lines.join('\n')), { values: expected, refused: [] })
    }),
  )
})

test('unit: lines that go on, comments between, keys that come again', () => {
  const unit = parseUnit(`# a unit
Before=nothing
[Unit]
Description = what it is
[Service]
ExecStart=/bin/one \\
  # not this
  --two \\
; nor this
  three
ExecStart=
ExecStart = -/bin/four
[Unit]
After=x
`)
  assert.deepEqual(Object.fromEntries(unit), {
    Unit: [
      { key: 'Description', value: 'what it is', line: 4 },
      { key: 'After', value: 'x', line: 14 },
    ],
    Service: [
      { key: 'ExecStart', value: '/bin/one  --two  three', line: 6 },
      { key: 'ExecStart', value: '', line: 11 },
      { key: 'ExecStart', value: '-/bin/four', line: 12 },
    ],
  })
})

const nginx = (text: string) =>
  parseNginx(text, '/f').map(
    ({ name, args, block, line }) => `${line} ${block}: ${[name, ...args].join('|')}`,
  )

test('nginx: words, quotes, blocks', () => {
  assert.deepEqual(
    nginx(`# a comment; with a mark
user  www "a group";
http { include 'a b;c'; # here
  server {
    location ~ \\.php$ { return 200 "\\"x\\" {}"; }
    map \${uri} $x {}
  }
  log_format a '$b'
    '$c';
}
`),
    [
      '2 : user|www|a group',
      '3 : http',
      '3 http: include|a b;c',
      '4 http: server',
      '5 http/server: location|~|\\.php$',
      '5 http/server/location: return|200|"x" {}',
      `6 http/server: map|\${uri}|$x`,
      '8 http: log_format|a|$b|$c',
    ],
  )
})

test('nginx: what is written is read, however it is quoted', () => {
  const arg = fc.string({
    unit: fc.constantFrom('a', '1', '.', '/', ' ', ';', '{', '}', '#', "'", '"', '\\', '\n', '$'),
  })
  const quoted = (text: string, quote: string) => `${quote}${text.replace(/["'\\]/g, '\\$&')}${quote}`
  fc.assert(
    fc.property(
      fc.array(fc.tuple(word, fc.array(arg, { maxLength: 3 }))),
      fc.constantFrom('"', "'"),
      (all, quote) => {
        const text = all
          .map(([name, args]) => [name, ...args.map(one => quoted(one, quote))].join(' '))
          .join(';\n')
        const read = parseNginx(`${text};`, '/f').map(({ name, args }) => [name, args])
        assert.deepEqual(read, all.length === 0 ? [] : all)
      },
    ),
  )
})

test('no text ends a parser', () => {
  const any = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.string({
      unit: fc.constantFrom(
        '[',
        ']',
        '=',
        ':',
        ';',
        '#',
        '\\',
        '\n',
        '"',
        "'",
        '{',
        '}',
        '$',
        'a',
        ' ',
        '%',
        '(',
      ),
    }),
  )
  fc.assert(
    fc.property(any, text => {
      parseIni([{ path: '/x', text }])
      parseUnit(text)
      parseNginx(text, '/x')
    }),
  )
})

test('options as getopt finds them', () => {
  const config = (...argv: string[]) =>
    optionOf(['supervisord', ...argv], { short: 'c', long: 'configuration', shortWithValue: 'cul' })
  for (const argv of [
    ['-c', 'x'],
    ['-cx'],
    ['-nc', 'x'],
    ['-ncx'],
    ['-n', '-u', '-c', '-c', 'x'],
    ['--configuration', 'x'],
    ['--configuration=x'],
  ])
    assert.equal(config(...argv), 'x')
  for (const argv of [[], ['-n'], ['-u', '-c'], ['-lc'], ['c', 'x']]) assert.equal(config(...argv), undefined)
})

test('patterns of files', async () => {
  await using image = await inspected({
    '/etc/a/one.conf': '',
    '/etc/a/two.ini': '',
    '/etc/a/.hidden.conf': '',
    '/etc/b/one.conf': '',
    '/etc/b/[x].conf': '',
    '/etc/link': { link: 'b' },
  })
  const glob = (pattern: string) => globFiles(image.subject.fs, pattern)
  assert.deepEqual(glob('/etc/a/*.conf'), ['/etc/a/one.conf'])
  assert.deepEqual(glob('/etc/*/one.c?nf'), ['/etc/a/one.conf', '/etc/b/one.conf', '/etc/link/one.conf'])
  assert.deepEqual(glob('/etc/[!b]/[n-p]ne.conf'), ['/etc/a/one.conf'])
  assert.deepEqual(glob('/etc/b/[[]x].conf'), ['/etc/b/[x].conf'])
  assert.deepEqual(glob('/etc/a/.*'), ['/etc/a/.hidden.conf'])
  for (const none of ['/etc/c/*', '/etc/a/none', '/etc/a/[z-a]', '/etc/a/[', '/etc/a/(*'])
    assert.deepEqual(glob(none), [])
})

test('glob: an own matcher finds what a regular expression does', async () => {
  const part = fc.stringMatching(/^[ab*?]{1,8}$/)
  const names = fc.uniqueArray(fc.stringMatching(/^[ab]{1,8}$/), { minLength: 1, maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(names, part, async (names, part) => {
      const fs = { ...none, list: () => names }
      const whole = new RegExp(`^${part.replaceAll('*', '.*').replaceAll('?', '.')}$`)
      const found = /[*?]/.test(part)
        ? names.filter(name => whole.test(name)).map(name => `/${name}`)
        : undefined
      if (found !== undefined) assert.deepEqual(globFiles(fs, `/${part}`), found.sort())
    }),
  )
})

test('texts that are made to take long do not', async () => {
  const fs = { ...none, list: () => ['a'.repeat(250), 'b', 'c'] }
  assert.deepEqual(globFiles(fs, `/${'*a'.repeat(200)}*b`), [])
  assert.equal(globFiles(fs, '/*'.repeat(200)).length, 10_000)
  assert.deepEqual(globFiles(fs, '/*'.repeat(3000)), [])
  const lines = 300_000
  assert.equal(
    parseUnit(`[a]\nb=${'\\\n'.repeat(lines)}c\n`)
      .get('a')?.[0]
      ?.value.at(-1),
    'c',
  )
  const value = parseIni([{ path: '/x', text: `[a]\nb=1\n${' 2\n'.repeat(lines)}` }])
    .sections.get('a')
    ?.values.get('b')
  assert.equal(value?.text.length, 1 + 2 * lines)
  assert.equal(parseIni([{ path: '/x', text: `[a]\nb=1${' ;'.repeat(lines)}\u2028\n` }]).refused.length, 0)
})
