import { readFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { dirname, join } from 'node:path/posix'
import { type ESTree, parseSync, Visitor } from 'rolldown/utils'

/** What our code takes from a package: the names it imports, or everything. */
export type Wanted = ReadonlySet<string> | 'everything'

export type OwnCode = {
  /** JavaScript by path relative to dist/, such as `cache/save.js`. */
  readonly files: ReadonlyMap<string, string>
  /** What is imported, by specifier such as `@actions/core`. */
  readonly packages: ReadonlyMap<string, Wanted>
}

/** Path relative to dist/ of the file through which our code imports a package. */
export function vendorFile(specifier: string): string {
  return `vendor/${specifier.replace('@', '').replaceAll('/', '-')}.js`
}

/**
 * Turns every module that the entries reach into JavaScript by taking the types out, nothing else: what
 * tests run from src/ is what dist/ holds. The code still has gaps where types were.
 * @param entries paths relative to `source`, such as `main.ts`
 * @throws Error for an import that is neither a `.ts` or `.json` file, a package nor a part of Node.js
 */
export async function readOwnCode(source: string, entries: readonly string[]): Promise<OwnCode> {
  const files = new Map<string, string>()
  const packages = new Map<string, Wanted>()
  const queue = [...entries]
  for (let path = queue.shift(); path !== undefined; path = queue.shift()) {
    const file = asJavaScript(path)
    if (files.has(file)) continue
    const text = await readFile(join(source, path), 'utf8')
    if (path.endsWith('.json')) {
      files.set(path, text)
      continue
    }
    const code = stripTypeScriptTypes(withoutTypeDocs(text))
    const up = '../'.repeat(path.split('/').length - 1) || './'
    const edits: Edit[] = []
    for (const { specifier, start, end, wanted } of importsOf(code)) {
      if (specifier.startsWith('node:')) continue
      if (/^\..*\.(ts|json)$/.test(specifier)) {
        queue.push(join(dirname(path), specifier))
        edits.push({ start, end, text: `'${asJavaScript(specifier)}'` })
      } else if (!specifier.startsWith('.')) {
        packages.set(specifier, union(packages.get(specifier) ?? new Set(), wanted))
        edits.push({ start, end, text: `'${up}${vendorFile(specifier)}'` })
      } else
        throw new Error(
          `${path} imports ${specifier}: only .ts and .json files, packages and node: can be bundled`,
        )
    }
    files.set(file, edited(code, edits))
  }
  return { files, packages }
}

function asJavaScript(path: string): string {
  return path.replace(/\.ts$/, '.js')
}

type Edit = { readonly start: number; readonly end: number; readonly text: string }

function edited(code: string, edits: readonly Edit[]): string {
  let result = ''
  let from = 0
  for (const { start, end, text } of edits.toSorted((a, b) => a.start - b.start)) {
    result += code.slice(from, start) + text
    from = end
  }
  return result + code.slice(from)
}

/** The comments above a type would be left behind and seem to belong to what follows. */
function withoutTypeDocs(code: string): string {
  const { program, comments } = parseSync('module.ts', code)
  const edits: Edit[] = []
  for (const statement of program.body) {
    const declared = statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement
    if (declared?.type !== 'TSTypeAliasDeclaration' && declared?.type !== 'TSInterfaceDeclaration') continue
    let at = statement.start
    for (const { start, end } of comments.toReversed()) {
      if (end > at || code.slice(end, at).trim() !== '') continue
      edits.push({ start, end, text: '' })
      at = start
    }
  }
  return edited(code, edits)
}

type Import = {
  readonly specifier: string
  /** Where the specifier is written, with its quotes. */
  readonly start: number
  readonly end: number
  readonly wanted: Wanted
}

function importsOf(code: string): Import[] {
  const { program, module } = parseSync('module.js', code)
  const imports: Import[] = module.staticImports.map(({ moduleRequest: { value, start, end }, entries }) => ({
    specifier: value,
    start,
    end,
    wanted: entries
      .map(({ importName, localName }): Wanted => {
        if (importName.kind === 'NamespaceObject') return membersUsed(localName.value, program)
        return new Set([importName.kind === 'Default' ? 'default' : (importName.name ?? '')])
      })
      .reduce(union, new Set()),
  }))
  new Visitor({
    ExportNamedDeclaration({ source, specifiers }) {
      const wanted = new Set(specifiers.map(({ local }) => ('name' in local ? local.name : local.value)))
      if (source) imports.push({ specifier: source.value, start: source.start, end: source.end, wanted })
    },
    ExportAllDeclaration({ source: { value, start, end } }) {
      imports.push({ specifier: value, start, end, wanted: 'everything' })
    },
    ImportExpression({ source }) {
      if (source.type !== 'Literal' || typeof source.value !== 'string') return
      imports.push({ specifier: source.value, start: source.start, end: source.end, wanted: 'everything' })
    },
  }).visit(program)
  return imports
}

/** The `x` of each `namespace.x`; everything where the namespace is used in another way. */
function membersUsed(namespace: string, program: ESTree.Program): Wanted {
  const members = new Set<string>()
  let otherUses = -1 // its declaration
  new Visitor({
    Identifier({ name }) {
      if (name === namespace) otherUses++
    },
    MemberExpression({ object, property, computed }) {
      if (computed || property.type !== 'Identifier') return
      if (object.type !== 'Identifier' || object.name !== namespace) return
      members.add(property.name)
      otherUses--
    },
  }).visit(program)
  return otherUses === 0 ? members : 'everything'
}

function union(one: Wanted, other: Wanted): Wanted {
  if (one === 'everything' || other === 'everything') return 'everything'
  return new Set([...one, ...other])
}
