import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Derivation, parseDerivation } from '../../src/nix/derivation.ts'

const quoted = (text: string) =>
  `"${text.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\r', '\\r').replaceAll('\t', '\\t')}"`
const list = (items: readonly string[]) => `[${items.join(',')}]`

/** As Nix writes it. */
function render({ outputs, inputs, sources }: Derivation, env: string): string {
  const outs = [...outputs].map(([name, path]) => `(${quoted(name)},${quoted(path)},"",${quoted('')})`)
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
