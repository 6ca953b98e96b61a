import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from './run.ts'

/** A place that packages come from, as a paragraph of a `.sources` file describes it. */
export type Source = {
  readonly uris: string
  readonly suites: readonly string[]
  readonly components: readonly string[]
  /** Path of a keyring, a fingerprint, or a whole key with its continuation lines. */
  readonly signedBy: string | undefined
}

/** The suites of one distribution that parts come from. */
export type Suites = {
  /** `Debian`, `Ubuntu` */
  readonly distribution: string
  /** The system's own. */
  readonly own: string
  /** With the newest programs. */
  readonly newest: string
  /** With an older Nix, as the second version that tests install. */
  readonly second: string
}

type Distribution = { name: string; newest: string; second: string; components: readonly string[] }

// Ubuntu's `devel` always means the release in preparation.
const distributions: Readonly<Record<string, Distribution>> = {
  debian: { name: 'Debian', newest: 'sid', second: 'trixie', components: ['main'] },
  ubuntu: { name: 'Ubuntu', newest: 'devel', second: 'resolute', components: ['main', 'universe'] },
}

/**
 * Finds where the system's own packages come from.
 * Gives the suites to use and a function that writes a `.sources` file for one of them: same place, same keys.
 * Throws on other distributions, and when apt's configuration does not name the system's own suite.
 */
export async function findSource(): Promise<{ suites: Suites; sourceFor: (suite: string) => string }> {
  const os = osRelease(readFileSync('/etc/os-release', 'utf8'))
  const distribution = distributions[os.ID ?? '']
  const codename = os.VERSION_CODENAME
  if (distribution === undefined || codename === undefined) {
    throw new Error(
      `Parts for tests come from the packages of Debian or Ubuntu; this is ${os.PRETTY_NAME ?? 'neither'}`,
    )
  }
  const found = chooseSource(await systemSources(), codename)
  if (found === undefined) {
    throw new Error(`apt's configuration names no source for this system's own suite, ${codename}`)
  }
  return {
    suites: {
      distribution: distribution.name,
      own: found.suite,
      newest: distribution.newest,
      second: distribution.second,
    },
    sourceFor: suite =>
      [
        'Types: deb',
        `URIs: ${found.source.uris}`,
        `Suites: ${suite}`,
        `Components: ${distribution.components.join(' ')}`,
        ...(found.source.signedBy === undefined ? [] : [`Signed-By: ${found.source.signedBy}`]),
        '',
      ].join('\n'),
  }
}

/**
 * The source of the distribution itself among `sources`, and its name for the suite.
 * Others use a distribution's suite names too, but only the distribution has `<suite>-updates`.
 */
export function chooseSource(
  sources: readonly Source[],
  codename: string,
): { source: Source; suite: string } | undefined {
  const names = [codename, 'stable', 'testing', 'unstable', 'sid']
  const candidates = names.flatMap(suite =>
    sources
      .filter(source => source.suites.includes(suite) && source.components.includes('main'))
      .map(source => ({ source, suite })),
  )
  const hasUpdates = ({ source, suite }: { source: Source; suite: string }) =>
    sources.some(other => other.uris === source.uris && other.suites.includes(`${suite}-updates`))
  return candidates.find(hasUpdates) ?? candidates[0]
}

async function systemSources(): Promise<Source[]> {
  const config = await run('apt-config', [
    'shell',
    'L',
    'Dir::Etc::sourcelist/f',
    'P',
    'Dir::Etc::sourceparts/d',
  ])
  const value = (name: string) => new RegExp(`^${name}='(.*)'$`, 'm').exec(config)?.[1] ?? '/dev/null'
  const folder = value('P')
  const files = [value('L'), ...names(folder).map(name => join(folder, name))]
  return files.flatMap(file => {
    if (file.endsWith('.sources')) return parseParagraphs(text(file))
    return file.endsWith('.list') ? parseLines(text(file)) : []
  })
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder).sort()
  } catch {
    return []
  }
}

function text(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** Sources of a file in the one-line format (`deb [signed-by=…] uri suite component…`). */
export function parseLines(content: string): Source[] {
  return content.split('\n').flatMap(line => {
    const match = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]+)/.exec(line)
    if (match === null) return []
    const [, options = '', uris = '', suite = '', components = ''] = match
    const signedBy = /(?:^|\s)signed-by=(\S+)/i.exec(options)?.[1]
    return [{ uris, suites: [suite], components: components.trim().split(/\s+/), signedBy }]
  })
}

/** Sources of a file in the deb822 format. */
export function parseParagraphs(content: string): Source[] {
  const paragraphs = content.replace(/^#.*\n/gm, '').split(/\n\s*\n/)
  return paragraphs.flatMap(paragraph => {
    const field = (name: string) =>
      new RegExp(`^${name}:[ \\t]*(.*(?:\\n[ \\t].*)*)`, 'im').exec(paragraph)?.[1]?.trimEnd()
    const words = (name: string) => field(name)?.split(/\s+/).filter(Boolean) ?? []
    const uris = field('URIs')
    if (uris === undefined || field('Enabled') === 'no' || !words('Types').includes('deb')) return []
    return [{ uris, suites: words('Suites'), components: words('Components'), signedBy: field('Signed-By') }]
  })
}

function osRelease(content: string): Record<string, string> {
  const lines = content.matchAll(/^(\w+)="?([^"\n]*)"?$/gm)
  return Object.fromEntries([...lines].map(([, name = '', value = '']) => [name, value]))
}
