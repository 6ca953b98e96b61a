import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { test } from 'node:test'
import fc from 'fast-check'
import { UserError } from '../../src/util/errors.ts'
import { splitShellWords } from '../../src/util/shell-words.ts'

/** The words that a real sh makes of `text`, or undefined when it refuses it. */
function sh(text: string): string[] | undefined {
  const run = spawnSync('sh', ['-c', `set -- ${text}\nfor word; do printf '%s\\0' "$word"; done`], {
    encoding: 'utf8',
  })
  return run.status === 0 ? run.stdout.split('\0').slice(0, -1) : undefined
}

function split(text: string): string[] | undefined {
  try {
    return splitShellWords(text)
  } catch (error) {
    assert.ok(error instanceof UserError)
    return undefined
  }
}

test('arguments as the README shows them', () => {
  assert.deepEqual(splitShellWords('--override-input nixpkgs github:o/r?ref=a&dir=b --impure'), [
    '--override-input',
    'nixpkgs',
    'github:o/r?ref=a&dir=b',
    '--impure',
  ])
  assert.deepEqual(splitShellWords(`--argstr name 'two words' ""\n\t--option x "y \\"z\\""  # why\n-L`), [
    '--argstr',
    'name',
    'two words',
    '',
    '--option',
    'x',
    'y "z"',
    '-L',
  ])
  assert.deepEqual(splitShellWords('--a \\\n  --b\\\nc .#x $HOME * ~'), [
    '--a',
    '--bc',
    '.#x',
    '$HOME',
    '*',
    '~',
  ])
  assert.deepEqual(splitShellWords('  \n '), [])
})

test('an open quote is refused with what follows it', () => {
  assert.throws(() => splitShellWords(`--a "b c`), /double quote before 'b c' is not closed/)
  assert.throws(() => splitShellWords(`it's`), /single quote before 's' is not closed/)
})

// Everything but what sh would expand or take as an operator; a line's end only where it does not end sh's command.
const bare = fc.stringMatching(/^[-a-c=.#:é /\t]{0,4}$/)
const quoted = fc.stringMatching(/^[-a-c #\n$`*;"&|<>()~\\]{0,5}$/).map(text => `'${text}'`)
const doubled = fc
  .array(fc.constantFrom('a', ' ', '#', "'", '\n', ';', '*', '\\$', '\\`', '\\"', '\\\\', '\\a', '\\\n'), {
    maxLength: 5,
  })
  .map(parts => `"${parts.join('')}"`)
const escaped = fc.constantFrom('\\ ', '\\\n', '\\\\', "\\'", '\\"', '\\$', '\\#', '\\a', '\\*')

test('splits as sh does', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(bare, quoted, doubled, escaped), { maxLength: 8 }), parts => {
      const text = parts.join('')
      // Where a comment's line ends, so does sh's command; for us the next line goes on.
      fc.pre(!/(^|[ \t])#[\s\S]*\n/.test(text))
      assert.deepEqual(split(text), sh(text))
    }),
    { numRuns: 150 },
  )
})

test('refuses what sh refuses, wherever the quotes are', () => {
  const chars = fc.stringMatching(/^[ab '"\\#\t]{0,12}$/)
  fc.assert(
    fc.property(chars, text => {
      // A backslash at the end would continue the line that this test adds.
      assert.deepEqual(split(`${text} x`), sh(`${text} x`))
    }),
    { numRuns: 150 },
  )
})
