import { createHash } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { absent, run } from './run.ts'

/** A package as the suite's index has it. */
export type Entry = {
  readonly name: string
  readonly version: string
  /** Name of the file as apt downloads it. */
  readonly file: string
  readonly size: number
  readonly sha256: string
  /** Of each dependency the first alternative. */
  readonly depends: readonly string[]
}

/** One suite seen through apt, with apt's state in a folder of ours: the system's is neither read nor written. */
export type Suite = {
  readonly name: string
  /** Reads the wanted packages' entries and those of all libraries that they need. */
  closure(wanted: readonly string[]): Promise<{ entries: Entry[]; missing: string[] }>
  /** Downloads what is not there yet and gives the files' absolute paths, in the same order. */
  download(entries: readonly Entry[]): Promise<string[]>
}

/**
 * Opens a suite and brings its index, which apt verifies by the keys that `source` names.
 * @param folder where apt's state and the packages are kept
 * @param source the text of a `.sources` file
 * Throws when apt is missing or cannot reach or verify the suite.
 */
export async function openSuite(name: string, folder: string, source: string): Promise<Suite> {
  const missing = absent(['apt-get', 'apt-cache', 'apt-config', 'dpkg', 'dpkg-deb'])
  if (missing.length > 0) throw new Error(`Needed from the system and not found: ${missing.join(', ')}`)
  const debs = join(folder, 'debs')
  for (const sub of ['debs', 'lists/partial', 'cache/archives/partial']) {
    await mkdir(join(folder, sub), { recursive: true })
  }
  const sources = join(folder, `${name}.sources`)
  const config = join(folder, 'apt.conf')
  await writeFile(sources, source)
  const text = configuration(folder, sources, await run('apt-config', ['dump']))
  // It may name a proxy with its password.
  await writeFile(config, text, { mode: 0o600 })
  const env = { APT_CONFIG: config }
  try {
    // Without --error-on=any apt calls an index that it could not bring a mere warning.
    await run('apt-get', ['-q', '--error-on=any', 'update'], { env })
  } catch (error) {
    throw new Error(`The packages of ${name} cannot be had from where this system gets its own`, {
      cause: error,
    })
  }

  async function show(names: readonly string[]): Promise<Entry[]> {
    if (names.length === 0) return []
    // apt-cache exits non-zero when one name of many is unknown.
    const text = await run('apt-cache', ['show', '--no-all-versions', ...names], { env, tolerate: true })
    return text.split(/\n\n+/).flatMap(parseEntry)
  }

  return {
    name,
    async closure(wanted) {
      const found = new Map<string, Entry>()
      const asked = new Set(wanted)
      let next = [...asked]
      while (next.length > 0) {
        const entries = await show(next)
        for (const entry of entries) found.set(entry.name, entry)
        next = [...new Set(entries.flatMap(libraries))].filter(dependency => !asked.has(dependency))
        for (const dependency of next) asked.add(dependency)
      }
      const entries = [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
      return { entries, missing: wanted.filter(name => !found.has(name)) }
    },
    async download(entries) {
      const todo = []
      for (const entry of entries) {
        if (!(await isWhole(join(debs, entry.file), entry))) todo.push(`${entry.name}=${entry.version}`)
      }
      if (todo.length > 0) await run('apt-get', ['-q', 'download', ...todo], { env, cwd: debs })
      return entries.map(entry => join(debs, entry.file))
    },
  }
}

/**
 * The system's own configuration of how things are fetched (proxies, mirrors' logins, checks), without its hooks,
 * which would act on the system, and with all folders ours.
 */
function configuration(folder: string, sources: string, dump: string): string {
  const kept = dump
    .split('\n')
    .filter(
      line => /^(Acquire|APT::Architecture)/.test(line) && !/^Acquire::(Languages|IndexTargets)/.test(line),
    )
  return `${kept.join('\n')}
Acquire::Languages "none";
APT::Sandbox::User "root";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::sourcelist "${sources}";
Dir::Etc::sourceparts "/dev/null";
Dir::State "${folder}";
Dir::State::lists "${folder}/lists";
Dir::State::status "/dev/null";
Dir::Cache "${folder}/cache";
Dir::Log "${folder}";
`
}

/** Names of a package of `entries` and of all among them that it needs, sorted. */
export function reachable(entries: readonly Entry[], name: string): string[] {
  const found = new Set<string>()
  const visit = (at: string) => {
    const entry = entries.find(one => one.name === at)
    if (entry === undefined || found.has(at)) return
    found.add(at)
    entry.depends.forEach(visit)
  }
  visit(name)
  return [...found].sort()
}

/** What a program needs to be loaded, without what its package wants for its set-up (systemd, debconf, passwd …). */
function libraries(entry: Entry): string[] {
  return entry.depends.filter(name => /^(lib|zlib1g|python3\.)/.test(name) && !name.endsWith('-perl'))
}

function parseEntry(stanza: string): Entry[] {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(stanza)?.[1]
  const name = field('Package')
  const version = field('Version')
  if (name === undefined || version === undefined) return []
  const depends = [field('Pre-Depends'), field('Depends')]
    .flatMap(list => list?.split(',') ?? [])
    .map(one => one.trim().replace(/[ :(|].*$/, ''))
  return [
    {
      name,
      version,
      file: `${name}_${version.replaceAll(':', '%3a')}_${field('Architecture')}.deb`,
      size: Number(field('Size')),
      sha256: field('SHA256') ?? '',
      depends,
    },
  ]
}

async function isWhole(file: string, entry: Entry): Promise<boolean> {
  try {
    const content = await readFile(file)
    return createHash('sha256').update(content).digest('hex') === entry.sha256
  } catch {
    return false
  }
}
