import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))
const documents = globSync(['*.md', 'docs/**/*.md', 'examples/**/*.md'], { cwd: root })

/** A document without its blocks of code, and without code in a line. */
function prose(file: string): string {
  return readFileSync(join(root, file), 'utf8')
    .replace(/^( *)```[\s\S]*?^\1```$/gm, '')
    .replace(/(`+)[^`].*?\1/g, code => code.replace(/[[\]()]/g, ''))
}

/** What GitHub calls a heading in links. */
function anchorsOf(file: string): string[] {
  const headings = [...prose(file).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading)
  return headings.map(heading =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

test('every link between documents leads somewhere', () => {
  const broken: string[] = []
  let followed = 0
  for (const file of documents)
    for (const [, link = ''] of prose(file).matchAll(/\]\(([^)\s]+)\)/g)) {
      // Elsewhere, or a page of the repository on GitHub that is not a file.
      if (/^[a-z]+:|^(\.\.\/)+issues\/new$/.test(link)) continue
      const [path = '', anchor] = link.split('#')
      const target = path === '' ? file : relative(root, join(root, dirname(file), path))
      const isThere = existsSync(join(root, target))
      if (!isThere || (anchor !== undefined && !anchorsOf(target).includes(anchor)))
        broken.push(`${file}: ${link}`)
      followed++
    }
  assert.deepEqual(broken, [])
  assert.ok(followed > 50, `${followed} links`)
})
