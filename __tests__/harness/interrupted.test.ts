import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { repository } from '../../script/parts/paths.ts'
import { Machine } from './machine.ts'

/** Command lines of all processes that name the folder, in their arguments or their environment. */
async function processesOf(folder: string): Promise<string[]> {
  const numbers = (await readdir('/proc')).filter(name => /^\d+$/.test(name) && name !== `${process.pid}`)
  const read = (pid: string, file: string) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '')
  const lines = await Promise.all(
    numbers.map(async pid => {
      const line = await read(pid, 'cmdline')
      return line.includes(folder) || (await read(pid, 'environ')).includes(folder) ? [line] : []
    }),
  )
  return lines.flat().map(line => line.replaceAll('\0', ' '))
}

/** Looks at the processes until they are as they should be, and gives them. */
async function waitFor(folder: string, good: (lines: readonly string[]) => boolean): Promise<string[]> {
  let lines = await processesOf(folder)
  for (let tries = 0; tries < 200 && !good(lines); tries++) {
    await sleep(50)
    lines = await processesOf(folder)
  }
  return lines
}

suite('a demo that is interrupted', { skip: Machine.unavailable() ?? false }, () => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
    test(`by ${signal} leaves no file and no process`, async () => {
      const folder = await mkdtemp(join(tmpdir(), 'interrupted-'))
      try {
        const demo = spawn(join(repository, 'script/demo'), [], {
          env: { ...process.env, TMPDIR: folder },
          stdio: ['ignore', 'pipe', 'inherit'],
        })
        const closed = once(demo, 'close')
        let atWork = false
        for await (const line of createInterface(demo.stdout)) {
          if (!line.startsWith('━━ Cold')) continue
          atWork = true
          const isMachine = (line: string) => line.includes('machine-init.sh')
          const running = await waitFor(folder, lines => lines.some(isMachine))
          assert.match(running.join('\n'), /docker-registry serve/)
          assert.ok(running.some(isMachine))
          assert.ok((await readdir(folder, { recursive: true })).some(name => /world-\w+$/.test(name)))
          demo.kill(signal)
        }
        assert.ok(atWork, 'the demo had begun')
        assert.deepEqual(await closed, [null, signal])
        // Its output has ended, so what removes its files has ended.
        assert.deepEqual(await readdir(folder), [])
        assert.deepEqual(await waitFor(folder, lines => lines.length === 0), [])
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    })
  }
})

test('what outlives a killed command is ended with the folder that it works in', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'interrupted-'))
  try {
    // As the test runner starts the files of tests.
    const script = `require('fs').writeFileSync(process.env.TMPDIR + '/used', '')
      require('child_process').spawn('sleep', ['1000'], { stdio: 'inherit' })
      console.log('ready')`
    const command = spawn(join(repository, 'script/scratch'), [process.execPath, '-e', script], {
      env: { ...process.env, TMPDIR: folder },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const closed = once(command, 'close')
    for await (const line of createInterface(command.stdout)) if (line === 'ready') command.kill('SIGKILL')
    assert.deepEqual(await closed, [null, 'SIGKILL'])
    assert.deepEqual(await readdir(folder), [])
    assert.deepEqual(await waitFor(folder, lines => lines.length === 0), [])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
