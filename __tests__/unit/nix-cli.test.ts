import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePathInfo } from '../../src/nix/cli.ts'

const a = '/nix/store/12wigjpizrn8axaqxj288q1b751qmwya-a'
const b = '/nix/store/mxfyh6dq3pj8wggqhb10ckc4xipf75gk-b'
const absent = '/nix/store/00000000000000000000000000000000-x'
const expected = {
  path: b,
  narHash: 'sha256-T63/pC+ereIaeDr0pYGU+fYHELKQaixNd3ALiRo654s=',
  narSize: 160,
  references: [a],
  deriver: undefined,
  signatures: [],
  ca: 'text:sha256:14pb2l9isrq8jhwjfcdvzz4cl5g9xjq9n4z09315ms2igi63q1rk',
  registrationTime: 1795230366,
  ultimate: false,
}

/** As `nix path-info --json` printed it, by version. */
const printed: Record<string, string> = {
  '2.8.0': `[{"path":"${absent}","valid":false},{"path":"${b}","narHash":"sha256-T63/pC+ereIaeDr0pYGU+fYHELKQaixNd3ALiRo654s=","narSize":160,"references":["${a}"],"ca":"text:sha256:14pb2l9isrq8jhwjfcdvzz4cl5g9xjq9n4z09315ms2igi63q1rk","registrationTime":1795230366}]`,
  // The same with the field that 2.18's source adds.
  '2.18': `[{"path":"${absent}","valid":false},{"path":"${b}","valid":true,"narHash":"sha256-T63/pC+ereIaeDr0pYGU+fYHELKQaixNd3ALiRo654s=","narSize":160,"references":["${a}"],"ca":"text:sha256:14pb2l9isrq8jhwjfcdvzz4cl5g9xjq9n4z09315ms2igi63q1rk","registrationTime":1795230366}]`,
  '2.34.8': `{"${absent}":null,"${b}":{"ca":"text:sha256:14pb2l9isrq8jhwjfcdvzz4cl5g9xjq9n4z09315ms2igi63q1rk","deriver":null,"narHash":"sha256-T63/pC+ereIaeDr0pYGU+fYHELKQaixNd3ALiRo654s=","narSize":160,"references":["${a}"],"registrationTime":1795230366,"signatures":[],"storeDir":"/nix/store","ultimate":false,"version":1}}`,
}

for (const [version, json] of Object.entries(printed)) {
  test(`path-info as ${version} prints it`, () => {
    const parsed = parsePathInfo(json)
    assert.deepEqual([...parsed.keys()], [b])
    assert.deepEqual(parsed.get(b), expected)
  })
}

test('what is built here and signed', () => {
  const json = `{"${a}":{"narHash":"sha256-x","narSize":1,"references":[],"deriver":"${b}.drv","signatures":["k:s"],"ultimate":true}}`
  const { deriver, signatures, ultimate, ca, registrationTime } = parsePathInfo(json).get(a) ?? {}
  assert.deepEqual(
    { deriver, signatures, ultimate, ca, registrationTime },
    { deriver: `${b}.drv`, signatures: ['k:s'], ultimate: true, ca: undefined, registrationTime: 0 },
  )
})

test('anything else is refused', () => {
  for (const json of ['', '3', '[1]', `{"${a}":{}}`, `[{"path":"${a}","valid":true}]`]) {
    assert.throws(() => parsePathInfo(json), json)
  }
})
