import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'

const root = new URL('../../', import.meta.url)
const text = (file: string) => readFileSync(new URL(file, root), 'utf8')
const source = globSync('src/**/*.ts', { cwd: root }).map(text).join('\n')

/** What the first column of a document's tables has as code. */
function quotedIn(markdown: string): string[] {
  const cells = [...markdown.matchAll(/^\| (.*?) \|/gm)].map(([, cell = '']) => cell)
  return cells.flatMap(cell => [...cell.matchAll(/(`+)(.+?)\1(?!`)/g)].map(([, , code = '']) => code))
}

/** As the source has it: `…` stands for values that are put in, quotes may be escaped. */
function written(message: string): RegExp {
  const parts = message.split('…').map(part => RegExp.escape(part).replace(/`|'|\\x27|\\x60/g, '\\\\?$&'))
  return RegExp(parts.join('(?:\\$\\{[^\\n]*?\\})+'))
}

const readme = text('README.md')
const documents = {
  'README.md': readme.slice(readme.indexOf('\n## When something fails'), readme.indexOf('\n## How it works')),
  'docs/troubleshooting.md': text('docs/troubleshooting.md'),
}

for (const [name, markdown] of Object.entries(documents))
  test(`${name} quotes messages that are printed`, () => {
    const messages = quotedIn(markdown)
    assert.ok(messages.length >= 10, `${messages.length} messages`)
    for (const message of messages) assert.match(source, written(message), message)
  })

test('a message that is not in the source is found out', () => {
  for (const message of [
    'The digest of Nix … is wrong',
    'The hash of … is right:',
    'No tags: no line of `tags`',
  ])
    assert.doesNotMatch(source, written(message))
})
