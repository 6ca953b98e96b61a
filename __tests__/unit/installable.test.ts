import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isPattern, parseInstallable, parsePattern } from '../../src/build/installable.ts'
import { UserError } from '../../src/util/errors.ts'

test('the forms of the contract and of the manual', () => {
  const rows: [string, string, string[], string | undefined][] = [
    ['.#image', '.', ['image'], '.'],
    ['.', '.', [], '.'],
    ['#docker', '', ['docker'], '.'],
    ['.devcontainer/nixos#layeredImage', '.devcontainer/nixos', ['layeredImage'], '.devcontainer/nixos'],
    ['./sub/dir#a', './sub/dir', ['a'], './sub/dir'],
    ['/abs/flake#a', '/abs/flake', ['a'], '/abs/flake'],
    ['.?dir=sub&submodules=1#a', '.?dir=sub&submodules=1', ['a'], './sub'],
    ['path:./x#a', 'path:./x', ['a'], './x'],
    ['path:/x?dir=y#a', 'path:/x?dir=y', ['a'], '/x/y'],
    ['git+file:///x%20y#a', 'git+file:///x%20y', ['a'], '/x y'],
    ['git+file:.#a', 'git+file:.', ['a'], '.'],
    ['github:o/r#img', 'github:o/r', ['img'], undefined],
    ['git+https://h/r?ref=a#img', 'git+https://h/r?ref=a', ['img'], undefined],
    ['nixpkgs#hello', 'nixpkgs', ['hello'], undefined],
    ['nixpkgs/nixos-25.05#hello', 'nixpkgs/nixos-25.05', ['hello'], undefined],
    ['flake:nixpkgs#hello', 'flake:nixpkgs', ['hello'], undefined],
    ['.#packages.aarch64-linux.image', '.', ['packages', 'aarch64-linux', 'image'], '.'],
    ['.#a."b.c".d', '.', ['a', 'b.c', 'd'], '.'],
    ['.#a%20b', '.', ['a b'], '.'],
  ]
  for (const [text, flake, attributes, directory] of rows) {
    const outputs = undefined
    assert.deepEqual(parseInstallable(text), { text, flake, attributes, outputs, directory })
  }
})

test('outputs', () => {
  assert.deepEqual(parseInstallable('.#a^out,dev').outputs, ['out', 'dev'])
  assert.deepEqual(parseInstallable('.#a^out,dev').attributes, ['a'])
  assert.deepEqual(parseInstallable('.#a^*').outputs, 'all')
  assert.deepEqual(parseInstallable('.#a^b^out').attributes, ['a^b'])
})

test('what is not a flake output is refused by name', () => {
  const rows: [string, RegExp][] = [
    ['', /is empty/],
    ['--file x', /is an option/],
    ['/nix/store/00000000000000000000000000000000-x', /is a store path/],
    ['/nix/store/00000000000000000000000000000000-x.drv^out', /is a store path/],
    ['(import ./. {}).image', /is a Nix expression/],
    ['with import <nixpkgs> {}; hello', /is a Nix expression/],
    ['a b', /has spaces/],
    ['.#a^', /no output names/],
    ['.#a^out,,dev', /no output names/],
    ['.#a."b', /open quote/],
    ['.#a%zz', /'%'/],
    ['path:%zz#a', /'%'/],
  ]
  for (const [text, expected] of rows) {
    assert.throws(
      () => parseInstallable(text),
      error =>
        error instanceof UserError && expected.test(error.message) && /\.#image/.test(error.advice ?? ''),
      text,
    )
  }
})

test('a * that is a whole name makes a pattern, which only parsePattern takes', () => {
  const rows: [string, number[]][] = [
    ['.#checks.x86_64-linux.*', [2]],
    ['.#*.x.*', [0, 2]],
    ['./sub#packages.*.x^*', [1]],
    ['.#*', [0]],
  ]
  for (const [text, every] of rows) {
    const pattern = parsePattern(text)
    assert.ok(isPattern(pattern), text)
    assert.deepEqual(pattern.every, every)
    assert.throws(() => parseInstallable(text), /is a pattern/)
  }
  for (const text of ['.#a', '.#a."*".b', '.#"*"', '.#a^*', '.#a*', '.#*a.b', '.', 'github:o/r?x=*#a']) {
    assert.deepEqual(parsePattern(text), parseInstallable(text), text)
  }
  assert.deepEqual(parseInstallable('.#a."*".b').attributes, ['a', '*', 'b'])
})

test('any text is parsed or refused, and what is parsed begins with its flake', () => {
  const part = fc.constantFrom(
    '.',
    '#',
    '^',
    '"',
    '%',
    '%41',
    '/',
    ':',
    '?',
    'dir=',
    'path',
    'a',
    '-',
    ',',
    '*',
    ' ',
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(part).map(parts => parts.join('')),
      ),
      text => {
        try {
          assert.ok(text.startsWith(parseInstallable(text).flake))
        } catch (error) {
          assert.ok(error instanceof UserError, String(error))
        }
      },
    ),
    { numRuns: 2000 },
  )
})
