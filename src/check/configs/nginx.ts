import type { Finding, Rule, Subject } from '../model.ts'
import { isMounted } from '../mounts.ts'
import { absolute } from '../programs/access.ts'
import { accountIn } from '../programs/account.ts'
import { isDirectory, readText } from '../text.ts'
import { globFiles } from './glob.ts'
import { type Directive, parseNginx } from './nginx-config.ts'
import { optionOf, type Started, startedPrograms } from './started.ts'

const rule = 'nginx'
/** Of one config. */
const mostFiles = 1000
/** Of a text in a program. */
const longest = 64 * 1024
/** A program that is larger is not read. */
const largest = 32 * 1024 * 1024
const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'] as const

/** Nginx as it was configured when it was built, and the config that it reads. */
type Reading = {
  readonly started: Started
  /** Its `configure arguments`, by name; empty where the program could not be read. */
  readonly built: ReadonlyMap<string, string>
  readonly file: string
  readonly directives: readonly Directive[]
}

/** Where nginx would write, and who says so. */
type Place = { readonly path: string; readonly place: string; readonly folder: boolean }

/**
 * What nginx ends without: files that it includes or loads, folders for its logs, pid and uploads, and its user. Also
 * those that it was built with, since nixpkgs' nginx wants /tmp and /var/log/nginx where its config says nothing else.
 * https://nginx.org/en/docs/ngx_core_module.html
 */
export const nginxRule: Rule = {
  *inspect(subject) {
    for (const reading of readings(subject)) {
      const severity = reading.started.sure ? 'error' : 'warning'
      for (const problem of [...missingFiles(subject, reading), ...missingUsers(subject, reading)])
        yield { rule, severity, ...problem }
      const folders = new Map<string, Place>()
      for (const place of placesOf(reading)) {
        const folder = place.path.replace(/\/[^/]*$/, '') || '/'
        if (!isTemporary(place.path) && !isMounted(subject, folder) && !isDirectory(subject.fs, folder))
          folders.set(folder, place)
      }
      for (const [folder, { path, place }] of folders) {
        const why = `nginx ends with \`[emerg] open() "${path}" failed (2: No such file or directory)\`: the image has no directory \`${folder}\`.`
        const fix = `Make it: \`extraCommands = "mkdir -p ${folder.slice(1)}"\` of \`dockerTools\`, or let the config write to /dev/stdout and /dev/stderr.`
        // Some engines make /run.
        yield { rule, severity: /^(?:\/var)?\/run$/.test(folder) ? 'warning' : severity, place, why, fix }
      }
    }
  },
}

/** Where nginx writes below /tmp, without which it ends: what the rule on /tmp needs to know. */
export function* neededByNginx(subject: Subject): Iterable<{ text: string; place: string; sure: boolean }> {
  for (const reading of readings(subject))
    for (const { path, place } of placesOf(reading))
      if (isTemporary(path)) yield { text: path, place, sure: reading.started.sure }
}

function* readings(subject: Subject): Iterable<Reading> {
  const { fs } = subject
  for (const started of startedPrograms(subject)) {
    const { argv } = started
    if (started.name !== 'nginx' || argv.some(arg => ['-t', '-T', '-v', '-V', '-h', '-s'].includes(arg)))
      continue
    const option = (short: string) => optionOf(argv, { short, shortWithValue: 'cgpse' })
    const told = [
      ['prefix', option('p')],
      ['error-log-path', option('e')],
    ] as const
    const built = new Map(configured(subject, started))
    for (const [name, value] of told) if (value !== undefined) built.set(name, value)
    const prefix = built.get('prefix')
    const named = option('c') ?? built.get('conf-path') ?? 'conf/nginx.conf'
    const file = named.startsWith('/') ? named : prefix === undefined ? undefined : absolute(named, prefix)
    const text = file === undefined ? undefined : readText(fs, file)
    // One that is missing may well be mounted.
    if (file === undefined || text === undefined) continue
    const given = parseNginx(`${option('g') ?? ''};`, '-g')
    const directives = [...given, ...included(subject, parseNginx(text, file), file)]
    yield { started, built, file, directives }
  }
}

/** What `nginx -V` prints is in the program as one text. */
function configured({ fs }: Subject, { path }: Started): Map<string, string> {
  const found = path === undefined ? undefined : fs.find(path)
  if (found?.entry.type !== 'file' || found.entry.size > largest) return new Map()
  const bytes = fs.read(found)
  const at = bytes.indexOf('configure arguments: ')
  if (at === -1) return new Map()
  const end = bytes.subarray(at, at + longest).indexOf(0)
  const text = bytes.toString('latin1', at, at + (end === -1 ? longest : end))
  return new Map(
    [...text.matchAll(/(?<![\w-])--([\w-]+)=([^\s']+)/g)].map(([, name = '', value = '']) => [name, value]),
  )
}

/** @param seen files that were read: what includes itself would never end */
function included(
  subject: Subject,
  directives: readonly Directive[],
  main: string,
  seen = new Set([main]),
): Directive[] {
  return directives.flatMap(directive => {
    const [named] = directive.args
    if (directive.name !== 'include' || named === undefined || seen.size >= mostFiles) return [directive]
    const files = globFiles(subject.fs, absolute(named, folderOf(main)))
    const inside = files
      .filter(file => !seen.has(file))
      .slice(0, mostFiles - seen.size)
      .flatMap(file => {
        seen.add(file)
        return parseNginx(readText(subject.fs, file) ?? '', file, directive.block)
      })
    return [directive, ...included(subject, inside, main, seen)]
  })
}

type Problem = Pick<Finding, 'place' | 'why' | 'fix'>

function* missingFiles(subject: Subject, { directives, file, built }: Reading): Iterable<Problem> {
  for (const directive of directives) {
    const { name, args } = directive
    const [named = ''] = args
    const base = name === 'include' ? folderOf(file) : built.get('prefix')
    if (
      !['include', 'load_module'].includes(name) ||
      /[*?[$]/.test(named) ||
      (base === undefined && !named.startsWith('/'))
    )
      continue
    const path = absolute(named, base ?? '/')
    if (subject.fs.find(path) !== undefined || isMounted(subject, path)) continue
    const call = name === 'include' ? 'open()' : 'dlopen()'
    yield {
      place: placeOf(directive),
      why: `nginx ends with \`[emerg] ${call} "${path}" failed\`: the image has no such file.`,
      fix: `Name it by its package, as in \`include \${pkgs.nginx}/conf/mime.types;\`.`,
    }
  }
}

/** Only root's nginx becomes somebody else. */
function* missingUsers({ fs, config }: Subject, { directives, file, built }: Reading): Iterable<Problem> {
  const self = accountIn(fs, config.user)
  if (!('user' in self) || self.user.uid !== 0) return
  const directive = directives.find(({ name, block }) => name === 'user' && block === '')
  const user = directive?.args[0] ?? built.get('user') ?? 'nobody'
  // Without a word on it, the group is what there was on the machine that built it.
  const members = directive === undefined ? built.get('group') : (directive.args[1] ?? user)
  const has = (path: string, name: string) =>
    (readText(fs, path) ?? '').split('\n').some(line => line.startsWith(`${name}:`))
  const lacks = !has('/etc/passwd', user)
    ? ['getpwnam', user]
    : members !== undefined && !has('/etc/group', members)
      ? ['getgrnam', members]
      : undefined
  if (lacks === undefined) return
  const [call, name] = lacks
  yield {
    place: directive === undefined ? file : placeOf(directive),
    why: `nginx ends with \`[emerg] ${call}("${name}") failed\`: /etc/${call === 'getpwnam' ? 'passwd' : 'group'} of the image has no \`${name}\`${directive === undefined ? ', which nginx takes where its config has no `user`' : ''}.`,
    fix:
      name === 'nobody'
        ? 'Add `pkgs.dockerTools.fakeNss` to the image, which has `nobody`, with `user nobody nobody;` in the config.'
        : `Add it with \`pkgs.dockerTools.fakeNss.override { extraPasswdLines = [ "${name}:x:…" ]; extraGroupLines = [ "${name}:x:…" ]; }\`, or write \`user root root;\`.`,
  }
}

/** All that nginx opens for writing when it starts. */
function* placesOf({ directives, built, file }: Reading): Iterable<Place> {
  const prefix = built.get('prefix')
  const known = (path: string | undefined, place: string, folder = false): Place[] =>
    path === undefined ||
    /^(?:stderr|off|syslog:.*|memory:.*|\|.*)$/.test(path) ||
    path.includes('$') ||
    (!path.startsWith('/') && prefix === undefined)
      ? []
      : [{ path: absolute(path, prefix ?? '/'), place, folder }]
  const all = (name: string) => directives.filter(directive => directive.name === name)
  for (const name of ['pid', 'error_log', 'access_log'])
    for (const directive of all(name)) yield* known(directive.args[0], placeOf(directive))
  if (all('pid').length === 0) yield* known(built.get('pid-path'), file)
  if (!all('error_log').some(({ block }) => block === '')) yield* known(built.get('error-log-path'), file)
  if (!all('http').some(({ block }) => block === '')) return
  if (all('access_log').length === 0 && all('server').length > 0)
    yield* known(built.get('http-log-path'), file)
  for (const kind of kinds) {
    const set = all(`${kind}_temp_path`)
    for (const directive of set) yield* known(directive.args[0], placeOf(directive), true)
    if (set.length === 0) yield* known(built.get(`http-${kind.replace('_', '-')}-temp-path`), file, true)
  }
}

function placeOf({ file, line }: Directive): string {
  return `${file}:${line}`
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/'
}

function isTemporary(path: string): boolean {
  return /^\/tmp\//.test(path)
}
