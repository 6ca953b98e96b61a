import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { type InputName, inputNames, parseInputs, parseSize } from '../../src/inputs.ts'
import { UserError } from '../../src/util/errors.ts'

const machine = { system: 'x86_64-linux', platform: 'linux/amd64' }

function parse(given: Partial<Record<InputName, string>> = {}) {
  const defaults = { image: '.#image', name: 'ghcr.io/o/r', 'nix-mirror': 'https://mirror.example/nix' }
  return parseInputs(name => ({ ...defaults, ...given })[name as 'image'] ?? '', machine)
}

function problemsOf(given: Partial<Record<InputName, string>>): string {
  try {
    parse(given)
  } catch (error) {
    assert.ok(error instanceof UserError, String(error))
    return error.message
  }
  return assert.fail(`accepted ${JSON.stringify(given)}`)
}

test('the defaults of action.yml are accepted as they are', () => {
  const text = readFileSync(new URL('../../action.yml', import.meta.url), 'utf8')
  const inputs = text.slice(text.indexOf('\ninputs:'), text.indexOf('\noutputs:'))
  const defaults = new Map<string, string>()
  let name = ''
  for (const line of inputs.split('\n')) {
    name = /^ {2}([a-z0-9-]+):$/.exec(line)?.[1] ?? name
    const value = /^ {4}default: (.*)$/.exec(line)?.[1]
    if (value !== undefined) defaults.set(name, value.replace(/^(['"])(.*)\1$/, '$2'))
  }
  assert.ok(defaults.size > 10)
  const parsed = parseInputs(name => defaults.get(name) ?? '', machine)
  assert.equal(parsed.image, '.#image')
  assert.equal(parsed.cacheSize, 4 * 1024 ** 3)
  assert.equal(parsed.push, 'auto')
  assert.equal(parsed.compression, 'gzip')
})

test('action.yml, the code and the README name the same inputs in the same order', () => {
  const yml = readFileSync(new URL('../../action.yml', import.meta.url), 'utf8')
  const declared = [
    ...yml.slice(yml.indexOf('\ninputs:'), yml.indexOf('\noutputs:')).matchAll(/^ {2}([a-z0-9-]+):$/gm),
  ]
  assert.deepEqual(
    declared.map(found => found[1]),
    [...inputNames],
  )
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
  const section = readme.slice(readme.indexOf('\n## Inputs'), readme.indexOf('\n## Outputs'))
  const rows = section.split('\n').filter(line => line.startsWith('| `'))
  const listed = rows.flatMap(row =>
    [...(row.split('|')[1] ?? '').matchAll(/`([a-z0-9-]+)`/g)].map(found => found[1]),
  )
  assert.deepEqual(listed, [...inputNames])
})

test('every problem is listed in one error', () => {
  const message = problemsOf({
    push: 'maybe',
    compression: 'brotli',
    'cache-size': 'much',
    'nix-sha256': 'abc',
    'nix-args': '"open',
  })
  for (const name of ['push', 'compression', 'cache-size', 'nix-sha256', 'nix-args'])
    assert.match(message, new RegExp(`^ {2}- ${name}: `, 'm'))
})

test('inputs that contradict each other are refused', () => {
  assert.match(problemsOf({ image: '', warm: '' }), /nothing to do/)
  assert.match(problemsOf({ 'nix-sha256': 'a'.repeat(64) }), /set nix-version too/)
  assert.match(
    problemsOf({ 'cache-size': '2G', 'gc-max-store-size': '1000' }),
    /something else than cache-size/,
  )
  assert.match(problemsOf({ substituters: 'https://cache.example' }), /need trusted-public-keys/)
  assert.match(problemsOf({ compression: 'gzip', 'compression-level': '12' }), /1 to 9/)
  assert.equal(parse({ compression: 'zstd', 'compression-level': '12' }).compressionLevel, 12)
})

test('what this version lacks is refused, and asking for nothing is not', () => {
  assert.match(problemsOf({ sign: 'true' }), /sign: signing is not in this version yet/)
  assert.match(problemsOf({ check: 'error' }), /check: /)
  assert.match(
    problemsOf({ platforms: 'linux/amd64,linux/arm64' }),
    /linux\/arm64 is not in this version yet/,
  )
  assert.match(problemsOf({ systems: 'aarch64-linux' }), /systems: /)
  parse({
    sign: 'false',
    check: 'off',
    systems: 'x86_64-linux',
    platforms: 'linux/amd64',
    'install-nix': 'always',
  })
})

test('the alias of cache-size counts bytes', () => {
  assert.equal(parse({ 'gc-max-store-size': '1073741824' }).cacheSize, 1024 ** 3)
  assert.equal(parse({ 'cache-size': '4G', 'gc-max-store-size': '1000' }).cacheSize, 1000)
  assert.match(problemsOf({ 'gc-max-store-size': 'lots' }), /not a size in bytes/)
})

test('lists leave out comments and empty lines', () => {
  assert.deepEqual(parse({ warm: '\n  .#a \n# no\n.#b\n' }).warm, ['.#a', '.#b'])
})

test('parseSize reads back every whole number of every unit, and nothing negative or fractional in bytes', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 4096 }),
      fc.constantFrom('', 'K', 'M', 'G', 'T'),
      (number, unit) => {
        assert.equal(parseSize(`${number}${unit}`), number * 1024 ** ['', 'K', 'M', 'G', 'T'].indexOf(unit))
      },
    ),
  )
  for (const text of ['', '-1', '0', '1e9', '4 G', 'G', '0x10', '99999999T', 'Infinity'])
    assert.equal(parseSize(text), undefined, text)
})
