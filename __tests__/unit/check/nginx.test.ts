import assert from 'node:assert/strict'
import { test } from 'node:test'
import { nginxRule } from '../../../src/check/configs/nginx.ts'
import { type Files, findingsOf } from '../../harness/inspected.ts'

const program = (text: string) => ({ data: `\0${text}\0`, mode: 0o755 })
const files: Files = {
  '/bin/nginx': program('configure arguments: --prefix=/built --error-log-path=/built/error.log'),
  '/etc/nginx.conf': 'error_log stderr;\n',
  '/etc/passwd': 'nobody:x:1:1::/:/bin/sh\n',
}
const of = (conf: string, config: { volumes?: string[]; args?: string[] } = {}, more: Files = {}) =>
  findingsOf(
    nginxRule,
    { ...files, '/etc/nginx.conf': conf, ...more },
    {
      entrypoint: ['/bin/nginx', '-c', '/etc/nginx.conf', ...(config.args ?? [])],
      volumes: config.volumes ?? [],
    },
  )
const error = (line?: number) => [`nginx error /etc/nginx.conf${line === undefined ? '' : `:${line}`}`]

test('nginx: what is in a volume is nobody to miss', async () => {
  const conf = 'error_log /data/log/error.log;\ninclude /data/sites.conf;\n'
  assert.equal((await of(conf)).length, 2)
  assert.deepEqual(await of(conf, { volumes: ['/data/'] }), [])
  assert.equal((await of(conf, { volumes: ['/dat'] })).length, 2)
  assert.deepEqual(await of(conf, { volumes: ['data//'] }), [])
  assert.deepEqual(await of(conf, { volumes: ['/'] }), [])
})

test('nginx: options in place of what it was built with', async () => {
  assert.deepEqual(await of(''), error())
  assert.deepEqual(await of('', { args: ['-e', '/etc/error.log'] }), [])
  assert.deepEqual(await of('', { args: ['-e', 'stderr'] }), [])
  assert.deepEqual(await of('error_log error.log;\n'), error(1))
  assert.deepEqual(await of('error_log error.log;\n', { args: ['-p', '/etc'] }), [])
})

test('nginx: configs that include themselves come to an end', async () => {
  const own = 'include /etc/nginx.conf;\ninclude /etc/more.conf;\n'.repeat(1000)
  const conf = `error_log /missing/log;\n${own}`
  assert.deepEqual(await of(conf, {}, { '/etc/more.conf': own }), error(1))
})

test('nginx: texts that are made to take long do not', async () => {
  const long = { '/bin/nginx': program(`configure arguments: ${'-'.repeat(8 * 1024 * 1024)}`) }
  assert.deepEqual(await of('error_log /missing/log;\n', {}, long), error(1))
  assert.deepEqual(await of(`error_log /missing/log;\na ${'${'.repeat(250_000)}`), error(1))
})
