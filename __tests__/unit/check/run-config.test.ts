import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRunConfig } from '../../../src/check/run-config.ts'
import { UserError } from '../../../src/util/errors.ts'

const parse = (config: unknown) => parseRunConfig(Buffer.from(JSON.stringify(config)))
const nothing = {
  entrypoint: [],
  cmd: [],
  healthcheck: undefined,
  env: new Map(),
  user: '',
  workingDir: '',
  volumes: [],
}

test('a config that says nothing', () => {
  const nulls = {
    Entrypoint: null,
    Cmd: null,
    Env: null,
    User: null,
    WorkingDir: null,
    Healthcheck: null,
    Volumes: null,
  }
  for (const document of [{}, { config: null }, { config: {} }, { config: nulls }])
    assert.deepEqual(parse(document), nothing)
})

test('a config that says everything, in whatever case', () => {
  const said = {
    Entrypoint: ['/bin/tini', '--'],
    cmd: ['app'],
    Env: ['PATH=/bin', 'OPTS=a=b', 'EMPTY=', 'NAKED'],
    USER: '1000:users',
    workingDir: '/app',
    Volumes: { '/data': {} },
    Healthcheck: { Test: ['CMD', 'app', '--ping'], Interval: 1 },
    Labels: { a: 'b' },
  }
  assert.deepEqual(parse({ architecture: 'amd64', config: said }), {
    entrypoint: ['/bin/tini', '--'],
    cmd: ['app'],
    env: new Map([
      ['PATH', '/bin'],
      ['OPTS', 'a=b'],
      ['EMPTY', ''],
      ['NAKED', ''],
    ]),
    user: '1000:users',
    workingDir: '/app',
    volumes: ['/data'],
    healthcheck: { shell: false, argv: ['app', '--ping'] },
  })
})

test('a single string is a list of one', () => {
  assert.deepEqual(parse({ config: { Cmd: 'app', Entrypoint: '/bin/sh' } }), {
    ...nothing,
    cmd: ['app'],
    entrypoint: ['/bin/sh'],
  })
})

test('health checks', () => {
  const of = (Test: unknown, rest = {}) => parse({ config: { Healthcheck: { Test }, ...rest } }).healthcheck
  const shell = ['/bin/sh', '-c', 'a || b']
  assert.deepEqual(of(['CMD-SHELL', 'a || b']), { shell: true, argv: shell })
  assert.deepEqual(of(['CMD-SHELL', 'a'], { Shell: ['/bin/bash', '-ec'] }), {
    shell: true,
    argv: ['/bin/bash', '-ec', 'a'],
  })
  for (const none of [['NONE'], [], null, undefined, ['CMD'], ['OTHER', 'a']])
    assert.equal(of(none), undefined)
})

test('what no engine can read is refused, with its place', () => {
  const refused = (config: Buffer, message: RegExp) =>
    assert.throws(
      () => parseRunConfig(config),
      (error: unknown) => {
        assert.ok(error instanceof UserError && error.advice !== undefined)
        assert.match(error.message, message)
        return true
      },
    )
  refused(Buffer.from('{'), /it is not JSON/)
  refused(Buffer.from('{"config":{"Env":[1]}}'), /config\.env/i)
  refused(Buffer.from('{"config":{"User":1000}}'), /config\.user/i)
  refused(Buffer.from('[]'), /config cannot be read/)
})
