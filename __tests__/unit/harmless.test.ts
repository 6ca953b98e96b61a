import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { harmless } from '../../src/util/harmless.ts'

/** Whether the runner finds a workflow command in one of the lines, by the rules of its source (ActionCommand.cs). */
function hasCommand(text: string): boolean {
  return text.split(/\r\n|\r|\n/).some(line => /^[\s\u0085]*::/.test(line) || line.includes('##['))
}

test('ordinary text stays as it is', () => {
  for (const text of ['a :: b', 'std::vector', '# [x]', '\u001b[31mred\u001b[0m', 'a\n  b: c\n']) {
    assert.equal(harmless(text), text)
  }
})

test('no line can be a workflow command', () => {
  assert.ok(hasCommand('\r::set-output name=digest::x') && hasCommand('a ##[add-mask]b'), 'the test can fail')
  const part = fc.constantFrom(
    '::',
    ':',
    '##[',
    '##',
    '#',
    '[',
    '\n',
    '\r',
    ' ',
    '\t',
    '\u0085',
    '\u00a0',
    'x',
  )
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), parts => {
      const text = parts.join('')
      const made = harmless(text)
      assert.ok(!hasCommand(made), JSON.stringify(made))
      assert.equal(made.replaceAll('\u200b', ''), text.replace(/\r\n?/g, '\n'))
    }),
    { numRuns: 2000 },
  )
})
