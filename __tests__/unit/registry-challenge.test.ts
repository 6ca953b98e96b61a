import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseChallenges } from '../../src/registry/challenge.ts'

const parse = (header: string) =>
  parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)])

test('challenges of real registries', () => {
  assert.deepEqual(
    parse('Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:user/image:pull"'),
    [['bearer', { realm: 'https://ghcr.io/token', service: 'ghcr.io', scope: 'repository:user/image:pull' }]],
  )
  assert.deepEqual(parse('Basic realm="Registry Realm"'), [['basic', { realm: 'Registry Realm' }]])
  assert.deepEqual(parse('Basic realm=plain'), [['basic', { realm: 'plain' }]])
  assert.deepEqual(
    parse('Bearer realm="https://a/t",service="a",scope="repository:x:pull,push" , Basic realm="b"'),
    [
      ['bearer', { realm: 'https://a/t', service: 'a', scope: 'repository:x:pull,push' }],
      ['basic', { realm: 'b' }],
    ],
  )
  assert.deepEqual(parse('Negotiate, NTLM TlRM+/==, BASIC Realm = "x\\"y"'), [
    ['negotiate', {}],
    ['ntlm', {}],
    ['basic', { realm: 'x"y' }],
  ])
})

test('what cannot be read is left out', () => {
  assert.deepEqual(parse(''), [])
  assert.deepEqual(parse(' , ,'), [])
  assert.deepEqual(parse('"quoted"'), [])
  assert.deepEqual(parse('Basic realm="never closed'), [['basic', {}]])
  assert.deepEqual(parse('Basic realm="a", @@@, Bearer realm="b"'), [['basic', { realm: 'a' }]])
})

const word = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,8}$/)
const pairs = fc.uniqueArray(fc.tuple(word, fc.string()), {
  selector: ([name]) => name.toLowerCase(),
  maxLength: 4,
})
const challenge = fc.tuple(word, pairs)

test('challenges that were written are read back, in their order', () => {
  fc.assert(
    fc.property(
      fc.array(challenge, { maxLength: 4 }),
      fc.constantFrom(',', ', ', ' ,\t'),
      (challenges, comma) => {
        const quote = (value: string) => `"${value.replace(/[\\"]/g, '\\$&')}"`
        const header = challenges
          .map(([scheme, list]) =>
            `${scheme} ${list.map(([name, value]) => `${name}=${quote(value)}`).join(comma)}`.trim(),
          )
          .join(comma)
        assert.deepEqual(
          parse(header),
          challenges.map(([scheme, list]) => [
            scheme.toLowerCase(),
            Object.fromEntries(list.map(([name, value]) => [name.toLowerCase(), value])),
          ]),
        )
      },
    ),
  )
})

test('any text is read to its end or left', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[Ba="\\, ]{0,40}$/)), text => {
      assert.ok(Array.isArray(parseChallenges(text)))
    }),
  )
})
