import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'node:test'

const root = new URL('../../', import.meta.url).pathname
const files = globSync('src/**/*.ts', { cwd: root })
const imports = files.flatMap(file =>
  [
    ...readFileSync(join(root, file), 'utf8').matchAll(
      /^(?:import|export)\b(?<type>\s+type\b)?[^'";]*?from '(?<from>[^']+)'|import\('(?<lazy>[^']+)'\)/gm,
    ),
  ].map(({ groups }) => {
    const from = groups?.from ?? groups?.lazy ?? ''
    return {
      file,
      type: groups?.type !== undefined,
      lazy: groups?.lazy !== undefined,
      to: from.startsWith('.') ? normalize(join(dirname(file), from)) : from,
    }
  }),
)

/** What a folder of src/ may import besides itself and src/util/. Everything else may import all of them. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  util: [],
  nix: [],
  image: [],
  gzip: [],
  metadata: [],
  container: [],
  build: ['nix', 'image'],
  cache: ['nix', 'image'],
  registry: ['nix', 'image', 'gzip'],
  check: ['image'],
  reproduce: ['build', 'nix', 'image'],
  attest: ['build'],
  sbom: ['image', 'nix'],
  runner: [],
  // Each input is read by whom it concerns.
  inputs: ['attest', 'build', 'check', 'container', 'image', 'metadata', 'nix', 'registry'],
}

/** Parts of action.ts and end.ts: like these they may import everything but the entries and these themselves. */
const partsOfAction: readonly (string | undefined)[] = ['steps', 'summary']
const aboveParts = [
  'action',
  'end',
  'main',
  'post',
  'substituter',
  'cache-client',
  'nar-worker',
  'deflate-thread',
].map(name => `src/${name}.ts`)

const folderOf = (file: string) => (file.split('/').length > 2 ? file.split('/')[1] : undefined)

test('imports point one way', () => {
  assert.ok(imports.length > 30, 'the imports were found')
  for (const { file, to, type } of imports) {
    const from = folderOf(file)
    const isPart = partsOfAction.includes(from)
    if (isPart) assert.ok(!aboveParts.includes(to), `${file} imports ${to}`)
    if (from === undefined || isPart || !to.startsWith('src/')) continue
    const target = folderOf(to)
    if (type && to.endsWith('/model.ts')) continue
    assert.ok(
      target !== undefined,
      `${file} imports ${to}, which only entry points, action.ts and end.ts may`,
    )
    assert.ok(
      target === from || target === 'util' || allowed[from]?.includes(target),
      `${file} imports ${to}: src/${from} may import src/util${allowed[from]?.map(name => `, src/${name}`).join('') ?? ''}`,
    )
  }
})

test('libraries that stand for a service are imported in one place', () => {
  const places: Readonly<Record<string, (file: string) => boolean>> = {
    '@actions/core': file => file.startsWith('src/runner/'),
    '@actions/cache': file => file === 'src/cache/client.ts',
  }
  for (const { file, to, type } of imports) {
    if (!type && places[to]) assert.ok(places[to](file), `${file} imports ${to}`)
  }
})

/** Files and packages that are loaded before anything is done. */
function loadedBy(entry: string): ReadonlySet<string> {
  const loaded = new Set([entry])
  for (const file of loaded)
    for (const one of imports) if (one.file === file && !one.type && !one.lazy) loaded.add(one.to)
  return loaded
}

const light = /^(@actions\/core|csv-parse|handlebars|p-map|semver|zod)(\/|$)/

test('main and post load what every run needs; the rest where it is wanted', () => {
  for (const entry of ['src/main.ts', 'src/post.ts']) {
    const loaded = [...loadedBy(entry)]
    const packages = loaded.filter(name => !/^(src\/|node:)|\.json$/.test(name))
    for (const name of packages) assert.match(name, light, `${entry} loads ${name}`)
  }
  const unused = [
    'src/steps/images.ts',
    'src/steps/publish.ts',
    'src/steps/reproduce.ts',
    'src/check/inspect.ts',
  ]
  for (const file of [...unused, 'src/cache/save.ts'])
    assert.ok(files.includes(file) && !loadedBy('src/main.ts').has(file), `main loads ${file}`)
  for (const file of [...unused, 'src/steps/build.ts'])
    assert.ok(files.includes(file) && !loadedBy('src/post.ts').has(file), `post loads ${file}`)
})

test('there are no cycles between files', () => {
  const graph = Map.groupBy(
    imports.filter(({ type, to }) => !type && to.startsWith('src/')),
    ({ file }) => file,
  )
  const done = new Set<string>()
  const visit = (file: string, path: readonly string[]) => {
    assert.ok(!path.includes(file), `cycle: ${[...path, file].join(' → ')}`)
    if (done.has(file)) return
    for (const { to } of graph.get(file) ?? []) visit(to, [...path, file])
    done.add(file)
  }
  for (const file of files) visit(file, [])
})

test('what is exported is used in src/, not in tests alone', () => {
  const comments = /\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm
  const texts = files.map(file => readFileSync(join(root, file), 'utf8').replaceAll(comments, ''))
  const uses = Map.groupBy(
    texts.flatMap(text => text.match(/[A-Za-z_$][\w$]*/g) ?? []),
    word => word,
  )
  const unused = texts
    .flatMap(text => [...text.matchAll(/^export (?:async )?(?:function|const|class|type)\*? (\w+)/gm)])
    .map(([, name = '']) => name)
    .filter(name => uses.get(name)?.length === 1)
  assert.deepEqual(unused, [])
})
