import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import fc from 'fast-check'
import { partsBin } from '../../../../script/parts/paths.ts'
import { parseShebang } from '../../../../src/check/programs/shebang.ts'

const folder = mkdtempSync(join(tmpdir(), 'sb'))
after(() => rmSync(folder, { recursive: true }))
/** A program that says what it is given. */
const echo = join(folder, 'echo')
copyFileSync(join(partsBin, 'busybox'), echo)
const script = join(folder, 'script')

/** What Linux makes of a script: the argument that its interpreter is given, or why it is not started. */
function linux(head: Buffer): string {
  writeFileSync(script, head)
  chmodSync(script, 0o755)
  const { error, stdout } = spawnSync(script, [], { encoding: 'latin1' })
  if (error !== undefined) return (error as NodeJS.ErrnoException).code ?? ''
  // What the kernel refuses Node.js gives to a shell, for which all of it is a comment.
  return stdout === '' ? 'ENOEXEC' : stdout.replace(/\n$/, '')
}

function ours(head: Buffer): string {
  const shebang = parseShebang(head.subarray(0, 256))
  if (shebang === undefined) return 'ENOEXEC'
  // Of no name at all the kernel makes the working directory.
  if (shebang.interpreter !== echo) return shebang.interpreter === '' ? 'EACCES' : 'ENOENT'
  return [shebang.argument, script].filter(part => part !== undefined).join(' ')
}

const space = fc.string({ unit: fc.constantFrom(' ', '\t'), maxLength: 3 })
const word = fc.constantFrom('', 'a', '--', 'a b', 'x\0y', '\r', 'a'.repeat(200), 'b'.repeat(100))
const end = fc.constantFrom('\n', '\n\n', '', '\0\n', '\n: more\n', ' '.repeat(250), `${' '.repeat(250)}\n`)
const interpreter = fc.constantFrom(echo, echo, echo, `${echo}x`, '', `/${'n'.repeat(300)}`, `${echo}\0`)

test('a first line is read as Linux reads it', () => {
  fc.assert(
    fc.property(fc.tuple(space, interpreter, space, word, space, end), parts => {
      const head = Buffer.from(`#!${parts.join('')}`, 'latin1')
      assert.equal(ours(head), linux(head), JSON.stringify(parts))
    }),
    { numRuns: 300 },
  )
})

test('what is no script has none', () => {
  for (const text of ['', '#', '# !/bin/sh\n', ' #!/bin/sh\n', '\x7fELF'])
    assert.equal(parseShebang(Buffer.from(text)), undefined)
})
