import assert from 'node:assert/strict'
import { test } from 'node:test'
import { exec } from '../../src/util/exec.ts'

const env = { PATH: process.env.PATH ?? '', ONE: 'a b' }
const node = (script: string, input?: Buffer, onStderrLine?: (line: string) => void) =>
  exec(process.execPath, ['-e', script], {
    env,
    ...(input === undefined ? {} : { input }),
    ...(onStderrLine === undefined ? {} : { onStderrLine }),
  })

test('gives code, stdout and stderr; the environment is the one given', async () => {
  const result = await node(
    'process.stdout.write(Object.keys(process.env).sort().join()); process.stderr.write("é"); process.exitCode = 3',
  )
  assert.deepEqual(result, { code: 3, stdout: 'ONE,PATH', stderr: 'é' })
})

test('arguments are taken as they are', async () => {
  const odd = ['a b', '"', '$HOME', '', '\\', '*', '; exit 1']
  const { stdout } = await exec(process.execPath, ['-p', 'JSON.stringify(process.argv.slice(1))', ...odd], {
    env,
  })
  assert.deepEqual(JSON.parse(stdout), odd)
})

test('a program reads its input to the end, and an end at once where there is none', async () => {
  const cat = 'process.stdin.pipe(process.stdout)'
  const input = Buffer.alloc(1_000_000, 'x')
  assert.equal((await node(cat, input)).stdout.length, input.length)
  assert.deepEqual(await node(cat), { code: 0, stdout: '', stderr: '' })
})

test('a program that does not read its input is no error', async () => {
  assert.equal((await node('process.exit(7)', Buffer.alloc(10_000_000))).code, 7)
})

test('a signal gives the code that a shell gives', async () => {
  assert.equal((await node('process.kill(process.pid, "SIGKILL")')).code, 137)
})

test('lines of stderr are whole, also the last one, also between the bytes of a letter', async () => {
  const lines: string[] = []
  const script = `const letter = Buffer.from('é')
    const parts = [Buffer.from('one\\ntw'), Buffer.concat([Buffer.from('o'), letter.subarray(0, 1)]), letter.subarray(1), '\\r\\n\\nlast']
    const next = () => parts.length && process.stderr.write(parts.shift(), () => setImmediate(next))
    next()`
  await node(script, undefined, line => lines.push(line))
  assert.deepEqual(lines, ['one', 'twoé', '', 'last'])
})

test('a program that is not there is an exception', async () => {
  await assert.rejects(exec('/nonexistent', [], { env }), { code: 'ENOENT' })
})

test('only the end of stderr is kept where its lines are read', async () => {
  let lines = 0
  const script = "for (let i = 0; i < 20000; i++) console.error('line ' + i)"
  const { stderr } = await exec(process.execPath, ['-e', script], { env: {}, onStderrLine: () => lines++ })
  assert.equal(lines, 20000)
  assert.ok(stderr.length < 200_000)
  assert.match(stderr, /line 19999\n$/)
})

test('lines of stdout are read as those of stderr are, and an endless one comes in pieces', async () => {
  const lines: string[] = []
  const script = "process.stdout.write('one\\ntwo'); process.stderr.write('three\\n' + 'x'.repeat(3e6))"
  const onStdoutLine = (line: string) => lines.push(line)
  const pieces: string[] = []
  const onStderrLine = (line: string) => pieces.push(line)
  const { stdout } = await exec(process.execPath, ['-e', script], { env: {}, onStdoutLine, onStderrLine })
  assert.deepEqual([lines, stdout], [['one', 'two'], 'one\ntwo'])
  assert.ok(pieces.length > 2 && pieces.every(({ length }) => length < 1.2e6))
  assert.equal(pieces.join('').length, 3e6 + 5)
})

test('a signal that aborts interrupts the program', async () => {
  const controller = new AbortController()
  const script = "console.error('ready'); setInterval(() => {}, 1000)"
  const { code } = await exec(process.execPath, ['-e', script], {
    env: {},
    signal: controller.signal,
    onStderrLine: () => controller.abort(),
  })
  assert.equal(code, 130)
})

test('a program that takes no notice of being interrupted is ended all the same', async () => {
  const controller = new AbortController()
  const program = "process.on('SIGINT', () => {}); console.error('ready'); setInterval(() => {}, 1000)"
  const { code } = await exec(process.execPath, ['-e', program], {
    env: {},
    signal: controller.signal,
    onStderrLine: () => controller.abort(),
  })
  assert.equal(code, 128 + 15)
})
