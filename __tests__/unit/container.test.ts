import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { TestOutput } from '../../src/container/output.ts'
import { hasListener } from '../../src/container/ports.ts'

const tables = async () =>
  (await Promise.all(['tcp', 'tcp6'].map(name => readFile(`/proc/self/net/${name}`, 'utf8')))).join('\n')

test("listeners are found in the kernel's own tables, of IPv4 and IPv6", async () => {
  for (const host of ['127.0.0.1', '::1', '::', '0.0.0.0']) {
    const server = createServer()
    await new Promise<void>(done => server.listen({ host, port: 0 }, done))
    const { port } = server.address() as { port: number }
    assert.ok(hasListener(await tables(), port), host)
    await new Promise(done => server.close(done))
    assert.ok(!hasListener(await tables(), port), host)
  }
})

test('a connection is no listener, and neither is what is no table', () => {
  const row = (port: string, state: string) =>
    `   0: 0100007F:${port} 00000000:0000 ${state} 00000000:00000000`
  assert.ok(hasListener(`  sl  local_address\n${row('18EB', '0A')}\n`, 6379))
  assert.ok(!hasListener(row('18EB', '01'), 6379))
  assert.ok(!hasListener(row('18EC', '0A'), 6379))
  fc.assert(fc.property(fc.string(), text => assert.equal(typeof hasListener(text, 80), 'boolean')))
})

test('output: workflow commands are broken, much is bounded, the end is kept', () => {
  const said: string[] = []
  const output = new TestOutput(line => said.push(line))
  assert.deepEqual([output.detail(), output.last], [{}, ''])
  output.add('::set-output name=a::b')
  output.add('x ##[error]y')
  assert.doesNotMatch(said.join('\n'), /^::|##\[/m)
  for (let i = 0; i < 10_000; i++) output.add(`${i} ${'x'.repeat(5000)}`)
  assert.ok(said.length < 6000 && said.every(line => line.length < 1100))
  assert.match(said.at(-1) ?? '', /prints more than is shown here/)
  const { detail = '' } = output.detail()
  assert.match(detail, /^9960 x/)
  assert.match(detail, /\n9999 x+…$/)
})

test('output: a text is waited for until a line has it', async () => {
  const output = new TestOutput(() => {}, ['ready', 'set'])
  const seen: string[] = []
  const waits = ['ready', 'set'].map(text => output.seen(text).then(() => seen.push(text)))
  output.add('it is set up')
  await waits[1]
  assert.deepEqual(seen, ['set'])
  output.add('already')
  await waits[0]
})
