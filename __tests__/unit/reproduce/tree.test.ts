import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { compareTrees } from '../../../src/reproduce/tree.ts'
import { told } from './sample.ts'

const root = mkdtempSync(join(tmpdir(), 'trees-'))
after(() => rmSync(root, { recursive: true }))

/** Makes a tree: text for a file, `-> x` for a link, undefined for a folder; `*` after a name for a program. */
function plant(name: string, files: Readonly<Record<string, string | undefined>>): string {
  const folder = join(root, name)
  mkdirSync(folder)
  for (const [key, content] of Object.entries(files)) {
    const file = Buffer.from(`${folder}/${key.replace(/\*$/, '')}`, 'latin1')
    if (content === undefined) mkdirSync(file)
    else if (content.startsWith('-> ')) symlinkSync(content.slice(3), file)
    else {
      writeFileSync(file, content)
      chmodSync(file, key.endsWith('*') ? 0o555 : 0o444)
    }
  }
  return folder
}

test('each file of a tree, by its name, in order', async () => {
  const same = { same: 'text', link: '-> same', 'odd-\xff\xfe': 'text' }
  const first = plant('first', {
    ...same,
    ...{ z: 'one', gone: 'text', program: 'text', to: '-> a', kind: 'text', folder: undefined },
    ...{ 'folder/names': 'a\nb\nc\n', 'raw-\xff': 'one' },
  })
  const second = plant('second', {
    ...same,
    ...{ z: 'two', new: 'text', 'program*': 'text', to: '-> b', kind: '-> text', folder: undefined },
    ...{ 'folder/names': 'c\na\nb\n', 'raw-\xff': 'two' },
  })
  const options = { where: 'app-1.0', scratch: root }
  assert.deepEqual(await told(compareTrees(first, second, options)), [
    'folder/names order',
    'gone removed',
    'kind type',
    'new added',
    'program mode',
    'raw-\ufffd content',
    'to link',
    'z content',
  ])
  assert.deepEqual(await told(compareTrees(first, first, options)), [])
})

test('a store path that is a file, or becomes one', async () => {
  const folder = plant('files', { one: 'built 2026-11-21', other: 'built 2026-11-22', folder: undefined })
  const options = { where: 'app-1.0', scratch: root }
  const at = (name: string) => join(folder, name)
  assert.deepEqual(await told(compareTrees(at('one'), at('other'), options)), ['app-1.0 time'])
  assert.deepEqual(await told(compareTrees(at('one'), at('folder'), options)), ['app-1.0 type'])
})
