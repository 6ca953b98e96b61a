import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Derivation, parseDerivation, parseWholeDerivation } from '../../src/nix/derivation.ts'

const quoted = (text: string) =>
  `"${text.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t')}"`
const list = (items: readonly string[]) => `[${items.join(',')}]`

/** As Nix writes it. */
function render(
  { outputs, inputs, sources }: Derivation,
  env: string,
  { algorithm = '', hash = '' } = {},
): string {
  const outs = [...outputs].map(([name, path]) => `(${[name, path, algorithm, hash].map(quoted).join(',')})`)
  const ins = inputs.map(one => `(${quoted(one.drvPath)},${list(one.outputs.map(quoted))})`)
  const rest = `"x86_64-linux","/bin/sh",["-c",${quoted(env)}],[("env",${quoted(env)})]`
  return `Derive(${list(outs)},${list(ins)},${list(sources.map(quoted))},${rest})`
}

const plain = { noNullPrototype: true }
const derivations: fc.Arbitrary<Derivation> = fc.record(
  {
    outputs: fc.array(fc.tuple(fc.string(), fc.string())).map(all => new Map(all)),
    inputs: fc.array(fc.record({ drvPath: fc.string(), outputs: fc.array(fc.string()) }, plain)),
    sources: fc.array(fc.string()),
  },
  plain,
)

test('what Nix writes is read back, whatever the names', () => {
  fc.assert(
    fc.property(derivations, fc.string(), (derivation, env) => {
      assert.deepEqual(parseDerivation(render(derivation, env)), derivation)
    }),
  )
})

test('what is cut short or has another form is not read', () => {
  fc.assert(
    fc.property(derivations, fc.nat(), (derivation, cut) => {
      const whole = render(derivation, '')
      const upTo = whole.indexOf(',"x86_64-linux"')
      assert.equal(parseDerivation(whole.slice(0, cut % upTo)), undefined)
    }),
  )
  assert.equal(parseDerivation('DrvWithVersion("xp-dyn-drv",[],[],[],"","",[],[])'), undefined)
  fc.assert(fc.property(fc.string(), text => void parseDerivation(text)))
})

test('of a whole derivation also what its builder is told is read back, and the hash that it has to give', () => {
  const fixed = fc.record(
    { algorithm: fc.constantFrom('sha256', 'r:sha256'), hash: fc.stringMatching(/^[0-9a-f]+$/) },
    plain,
  )
  fc.assert(
    fc.property(derivations, fc.string(), fc.option(fixed, { nil: undefined }), (derivation, env, fixed) => {
      const read = parseWholeDerivation(render(derivation, env, fixed))
      assert.deepEqual(read?.env, new Map([['env', env]]))
      assert.deepEqual(read?.fixed, derivation.outputs.size > 0 ? fixed : undefined)
      assert.deepEqual([read?.outputs, read?.inputs, read?.sources], Object.values(derivation))
    }),
  )
})

test('the output of an impure derivation is fixed by nothing, though Nix has a word in the place of the hash', () => {
  const impure = { outputs: new Map([['out', '']]), inputs: [], sources: [] }
  const hash = { algorithm: 'r:sha256', hash: 'impure' }
  assert.equal(parseWholeDerivation(render(impure, '', hash))?.fixed, undefined)
  assert.deepEqual(parseWholeDerivation(render(impure, '', { ...hash, hash: 'ab' }))?.fixed, {
    ...hash,
    hash: 'ab',
  })
})

test('a whole derivation that is cut short is not read', () => {
  fc.assert(
    fc.property(derivations, fc.string(), fc.nat(), (derivation, env, cut) => {
      const whole = render(derivation, env)
      assert.equal(parseWholeDerivation(whole.slice(0, cut % whole.length)), undefined)
    }),
  )
})
