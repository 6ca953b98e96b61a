import { type OutputChunk, rolldown } from 'rolldown'
import { vendorFile, type Wanted } from './own.ts'

export type Vendor = {
  /** JavaScript by path relative to dist/. */
  readonly files: ReadonlyMap<string, string>
  /** Folders of the packages that are in it, relative to the root, such as `node_modules/zod`. */
  readonly folders: readonly string[]
}

const packageFolder = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/
const entryPrefix = '\0import:'

/**
 * Bundles what our code imports: one file for each package, and for each specifier one that gives on what
 * is asked for. All depend on the packages' names only, so a rebuild writes the same files.
 * @param root folder with node_modules; no path of it ends up in the output
 */
export async function bundleVendor(root: string, packages: ReadonlyMap<string, Wanted>): Promise<Vendor> {
  const specifiers = [...packages.keys()].toSorted()
  await using bundle = await rolldown({
    cwd: root,
    platform: 'node',
    input: Object.fromEntries(specifiers.map(name => [vendorFile(name).slice(0, -3), entryPrefix + name])),
    // For SBOMs in XML, which CycloneDX' library can do without.
    external: ['xmlbuilder2'],
    preserveEntrySignatures: 'allow-extension',
    // The toolkit does nothing when it is imported, but does not say so in its package.json. Without this its
    // HTTP client, and with it all of undici, is loaded by all who print a log line.
    treeshake: { moduleSideEffects: [{ test: /node_modules\/@actions\//, sideEffects: false }] },
    plugins: [
      {
        name: 'imports',
        resolveId: id => (id.startsWith(entryPrefix) ? id : null),
        load: id => (id.startsWith(entryPrefix) ? reexport(id.slice(entryPrefix.length), packages) : null),
      },
    ],
  })
  const { output } = await bundle.generate({
    format: 'es',
    minify: false,
    minifyInternalExports: false,
    comments: { legal: true, annotation: false, jsdoc: true },
    entryFileNames: '[name].js',
    chunkFileNames: 'vendor/packages/[name].js',
    codeSplitting: {
      includeDependenciesRecursively: false,
      groups: [{ debugName: 'packages', name: groupOf }],
    },
  })
  const chunks = output.filter(chunk => chunk.type === 'chunk')
  refuseCycles(chunks)
  const folders = chunks.flatMap(chunk => chunk.moduleIds).map(id => folderOf(id, root))
  return {
    files: new Map(chunks.map(chunk => [chunk.fileName, chunk.code])),
    folders: [...new Set(folders)].filter(folder => folder !== undefined).toSorted(),
  }
}

function reexport(specifier: string, packages: ReadonlyMap<string, Wanted>): string {
  const wanted = packages.get(specifier)
  if (wanted === undefined || wanted === 'everything') return `export * from '${specifier}'`
  return `export { ${[...wanted].toSorted().join(', ')} } from '${specifier}'`
}

/** `node_modules/a/node_modules/@b/c` is `a--b-c`: two versions of a package get two files. */
function groupOf(id: string): string | null {
  const folder = packageFolder.exec(id)?.[0]
  if (folder === undefined) return null
  const names = folder.split('node_modules/').slice(1)
  return names.map(name => name.replace('@', '').replace(/\/$/, '').replaceAll('/', '-')).join('--')
}

function folderOf(id: string, root: string): string | undefined {
  if (id.startsWith(entryPrefix)) return undefined
  // What Rolldown adds for CommonJS modules is its own code.
  if (id.startsWith('\0')) return 'node_modules/rolldown'
  const folder = packageFolder.exec(id)?.[0]
  if (!folder?.startsWith(`${root}/`)) throw new Error(`${id} is bundled but belongs to no package`)
  return folder.slice(root.length + 1)
}

/** Files that import each other would run in an order that their packages do not expect. */
function refuseCycles(chunks: readonly OutputChunk[]): void {
  const imports = new Map(chunks.map(chunk => [chunk.fileName, chunk.imports]))
  const done = new Set<string>()
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) throw new Error(`packages import each other: ${[...path, file].join(' -> ')}`)
    if (done.has(file)) return
    for (const other of imports.get(file) ?? []) visit(other, [...path, file])
    done.add(file)
  }
  for (const file of imports.keys()) visit(file, [])
}
