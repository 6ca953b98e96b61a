import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { parse, stringify } from 'yaml'
import { lintWorkflow } from '../../script/lint/workflows.ts'
import { partsBin, readStamp, repository } from '../../script/parts/paths.ts'
import { inputNames } from '../../src/inputs/model.ts'
import { exec } from '../../src/util/exec.ts'
import { type Block, blocksOf } from '../harness/blocks.ts'

const read = (file: string) => readFileSync(join(repository, file), 'utf8')
const pages = globSync(['*.md', 'docs/**/*.md', 'examples/**/*.md'], { cwd: repository })
const blocks = pages.flatMap(blocksOf)
const directory = await mkdtemp(join(tmpdir(), 'docs-'))
after(() => rm(directory, { recursive: true }))

const inLanguage = (name: string) => blocks.filter(({ language }) => language === name)

/** A workflow that has in it what a block shows: a workflow, jobs, what is in one, steps, or inputs of this action. */
function wholeWorkflow({ place, text }: Block): string {
  const shown: unknown = parse(text)
  const job = (parts: object) =>
    stringify({ on: 'push', jobs: { job: { 'runs-on': 'ubuntu-24.04', ...parts } } })
  if (Array.isArray(shown)) return job({ steps: shown })
  assert.ok(typeof shown === 'object' && shown !== null, place)
  if ('jobs' in shown) return 'on' in shown ? text : `on: push\n${text}`
  if ('steps' in shown) return job(shown)
  const unknown = Object.keys(shown).filter(key => !inputNames.some(name => name === key))
  assert.deepEqual(unknown, [], `${place}: neither a workflow, nor steps, nor inputs of this action`)
  return job({ steps: [{ uses: 'org/nix-image-action@v1', with: shown }] })
}

/** Keys of the `with:` of each step that uses this action, at whatever depth. */
function givenInputs(document: unknown): string[] {
  if (typeof document !== 'object' || document === null) return []
  const { uses, with: given } = document as { uses?: unknown; with?: object }
  const own = String(uses).startsWith('org/nix-image-action@') ? Object.keys(given ?? {}) : []
  return [...own, ...Object.values(document).flatMap(givenInputs)]
}

test('a page shows nothing in a language that is not looked at', () => {
  assert.ok(pages.includes('README.md') && pages.some(page => page.startsWith('examples/')))
  // A drawing GitHub shows, or it does not; a text is only read.
  const looked = ['yaml', 'nix', 'sh', 'mermaid', 'text', '']
  const unknown = blocks.filter(({ language }) => !looked.includes(language))
  assert.deepEqual(unknown, [])
})

test('each block of YAML is a workflow or a part of one, which actionlint takes, with inputs that there are', async () => {
  assert.ok(inLanguage('yaml').length > 10)
  for (const block of inLanguage('yaml')) {
    const workflow = wholeWorkflow(block)
    assert.deepEqual(await lintWorkflow(workflow, block.place), [])
    const unknown = givenInputs(parse(workflow)).filter(name => !inputNames.some(known => known === name))
    assert.deepEqual(unknown, [], block.place)
  }
})

test('the inputs in the examples’ workflows are there', () => {
  for (const file of globSync('examples/*/.github/workflows/*.yml', { cwd: repository })) {
    const given = givenInputs(parse(read(file)))
    assert.ok(given.length > 0, file)
    for (const name of given)
      assert.ok(
        inputNames.some(known => known === name),
        `${file}: ${name}`,
      )
  }
})

async function parseNix(text: string): Promise<string> {
  // Nix makes its store where there is none, before it reads anything: not on the system of whoever runs the tests.
  const argv = ['--store', 'dummy://', '--parse', '-E', text]
  const { code, stderr } = await exec(join(partsBin, 'nix-instantiate'), argv, { env: { HOME: directory } })
  return code === 0 ? '' : stderr
}

test('Nix can read each block of Nix, and each file of the examples', {
  skip: readStamp() === undefined && 'the parts are not in place',
}, async () => {
  assert.ok(inLanguage('nix').length > 0)
  for (const { place, text } of inLanguage('nix')) {
    // Some show attributes of a set.
    const expression = text.trimEnd().endsWith(';') ? `{ ${text} }` : text
    assert.equal(await parseNix(`{ pkgs, self }: ${expression}`), '', place)
  }
  const files = globSync(['examples/**/*.nix', 'examples/*/.devcontainer/**/*.nix'], { cwd: repository })
  assert.ok(files.some(file => file.includes('.devcontainer')))
  for (const file of files) assert.equal(await parseNix(read(file)), '', file)
})

test('a shell can read each block of shell', async () => {
  assert.ok(inLanguage('sh').length > 0)
  for (const { place, text } of inLanguage('sh')) {
    const { code, stderr } = await exec('bash', ['-n', '-c', text], { env: { PATH: '/usr/bin:/bin' } })
    assert.equal(code, 0, `${place}: ${stderr}`)
  }
})
