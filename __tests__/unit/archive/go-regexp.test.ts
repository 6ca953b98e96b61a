import assert from 'node:assert/strict'
import { test } from 'node:test'
import { goRegexp } from '../../../src/image/archive/go-regexp.ts'
import { UserError } from '../../../src/util/errors.ts'
import { rawOf, textOf } from '../../../src/util/raw-path.ts'

// What Go gives is in the comments of https://pkg.go.dev/regexp and was asked of Go itself.
const replacements: readonly (readonly [string, string, string, string])[] = [
  ['baaac', 'a*', 'x', 'xbxcx'],
  ['abc', '', '-', '-a-b-c-'],
  ['aaa', '^a', '', 'aa'],
  ['seafood', 'fo+', '<$0>', 'sea<foo>d'],
  ['-ab-axxb-', 'a(x*)b', 'T', '-T-T-'],
  ['-ab-axxb-', 'a(x*)b', '$1', '--xx-'],
  ['-ab-axxb-', 'a(x*)b', '$1W', '---'],
  ['-ab-axxb-', 'a(x*)b', '$' + '{1}W', '-W-xxW-'],
  ['ab', '(?P<one>a)|(?<two>b)', '[$one,$two]', '[a,][,b]'],
  ['ab', '(a)(b)', '$2$1$3$$1$', 'ba$1$'],
  ['a\nb', 'a.b', 'x', 'a\nb'],
  ['a\rb', 'a.b', 'x', 'x'],
  ['a\u2028b', 'a.b', 'x', 'x'],
  ['a\u00a0b', '\\s', 'x', 'a\u00a0b'],
  ['a b', '\\s', 'x', 'axb'],
  ['a b', '\\S', 'x', 'x x'],
  ['a\n', 'a$', 'x', 'a\n'],
  ['é', '\\w', 'x', 'é'],
  ['é😀', '.', 'x', 'xx'],
  ['a-b_c/d', '[\\-_/]', '.', 'a.b.c.d'],
  ['a]b', ']', '.', 'a.b'],
  ['a]b', '[\\]]', '.', 'a.b'],
  ['<a>~"b"', '\\<|\\>|\\~|\\"', '', 'ab'],
  ['aaa', 'a{2}', 'b', 'ba'],
  ['aaa', 'a+?', 'b', 'bbb'],
]

for (const [text, pattern, template, expected] of replacements)
  test(`${JSON.stringify(text)} with ${pattern} as ${template} becomes ${JSON.stringify(expected)}`, () => {
    assert.equal(textOf(goRegexp(pattern).replaceAll(rawOf(text), template)), expected)
  })

test('a byte that is no character counts as one', () => {
  assert.equal(goRegexp('^a(.)(.)b$').replaceAll('a\xff\xc3b', '$2$1'), '\xc3\xff')
  assert.ok(goRegexp('^..$').test('\xed\xa0') && !goRegexp('^..$').test('\xc3\xa9'))
})

test('a regular expression matches anywhere, and again', () => {
  const regexp = goRegexp('b')
  assert.deepEqual(
    ['abc', 'abc', 'ac'].map(text => regexp.test(text)),
    [true, true, false],
  )
})

const unsupported = [
  ['(?i)a', '(?i)a'],
  ['a(?s:.)', '(?s:.)'],
  ['a(?=b)', '(?=b)'],
  ['(?<=a)b', '(?<=a)b'],
  ['a\\pL', '\\pL'],
  ['\\Qa\\E', '\\Qa\\E'],
  ['(a)\\1', '\\1'],
  ['\\x41', '\\x41'],
  ['a\\z', '\\z'],
  ['[[:alpha:]]', '[[:alpha:]]'],
  ['[]a]', '[]a]'],
  ['[^]a]', '[^]a]'],
  ['[\\s]', '[\\s]'],
  ['a\\', '\\'],
  ['a**', 'a**'],
  ['a}', 'a}'],
  ['a{,2}', 'a{,2}'],
  ['libstdc++', 'libstdc++'],
  ['(a', '(a'],
]

for (const [pattern = '', piece = ''] of unsupported)
  test(`what may mean something else is refused: ${pattern}`, () => {
    assert.throws(
      () => goRegexp(pattern),
      error =>
        error instanceof UserError && error.message.endsWith(`not supported at ${JSON.stringify(piece)}.`),
    )
  })
