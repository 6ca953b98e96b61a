import { isMounted } from '../mounts.js'
import { absolute, basename, mayExecute } from './access.js'

import { finding } from './start.js'

/** What helps where a well-known program is not where everybody expects it. */
const helpers = new Map([
  ['/bin/sh', 'add `pkgs.dockerTools.binSh` to `contents`'],
  ['/usr/bin/env', 'add `pkgs.dockerTools.usrBinEnv` to `contents`'],
])

/** A program that cannot be started since nothing that can be run is where it is looked for. */
export function notStarted(subject, start, found) {
  const [name = ''] = start.argv
  const { rule, place } = start
  const fix = fixFor(subject, start, name, found)
  // What is mounted there may have it.
  const severity = wanted(start, found).some(path => isMounted(subject, path)) ? 'warning' : 'error'
  return finding(start, { rule, place, severity, why: whyNot(start, name, found), fix })
}

/** Where it would have to be. */
function wanted(start, found) {
  if (found.is === 'failed') return [found.at]
  if (found.is === 'refused') return []
  return found.path.split(':').map(folder => absolute(folder, start.directory))
}

/** A program that is there, but not for the user; what starts it has more rights than he, with some engines. */
export function closedToUser(subject, start, found) {
  const { why, ...rest } = notStarted(subject, start, found)
  const engines = 'So it is with Podman, and where capabilities are dropped; Docker starts it.'
  return { ...rest, severity: 'warning', why: `${why} ${engines}` }
}

function whyNot(start, name, found) {
  const quoted = `exec: ${JSON.stringify(name)}`
  if (found.is === 'not in PATH') {
    const closed = found.closed === undefined ? '' : ` (${found.closed.path} may not be run)`
    const said = start.by === 'runtime' ? `${quoted}: executable file not found in $PATH` : 'not found'
    return `No \`${name}\` that can be run is in PATH, \`${found.path}\`${closed}: \`${said}\`.`
  }
  if (found.is === 'refused') {
    const { path, entry } = found.found
    if (found.why === 'directory') return `\`${name}\` is a directory: \`${quoted}: is a directory\`.`
    if (found.why === 'kind') return `\`${name}\` is no file: \`${quoted}: permission denied\`.`
    return `\`${path}\` has the mode ${octal(entry.mode)} and belongs to ${entry.uid}:${entry.gid}, so ${who(start)} may not run it: \`${quoted}: permission denied\`.`
  }
  const { errno, at, link } = found
  const through = link === undefined ? '' : ` (by the link ${link})`
  if (errno === 'EACCES')
    return `${who(start)} may not pass through ${at}${through} to \`${name}\`: \`${quoted}: permission denied\`.`
  if (errno === 'ELOOP')
    return `\`${name}\` is a circle of links${through}: \`${quoted}: too many levels of symbolic links\`.`
  if (errno === 'ENOTDIR')
    return `\`${name}\` goes through ${at}${through}, which is no directory: \`${quoted}: not a directory\`.`
  const what =
    link === undefined
      ? `The image has no \`${name}\``
      : `The image has no ${at}, where \`${name}\` leads${through}`
  const said =
    start.by === 'runtime'
      ? `${quoted}: stat ${name}: no such file or directory`
      : 'no such file or directory'
  return `${what}: \`${said}\`.`
}

function fixFor(subject, start, name, found) {
  if (found.is === 'refused' && found.why === 'mode')
    return `Make it executable where it is made: \`chmod +x\`, or \`pkgs.writeShellScript\` in place of \`writeText\`.`
  if (found.is === 'failed' && found.errno === 'EACCES')
    return `Open the directory for that user, for instance \`extraCommands = "chmod 755 .${found.at}"\`, or set another \`config.User\`.`
  if (found.is === 'refused' || (found.is === 'failed' && found.errno !== 'ENOENT'))
    return `Name a program there, such as \`"\${pkgs.hello}/bin/hello"\`.`
  if (name.endsWith('\r'))
    return 'The line ends as on Windows: write the file with plain line ends, and keep git from changing them (`* text=auto eol=lf` in .gitattributes).'
  if (start.rule === 'shebang' && name.includes(' '))
    return `Linux gives all that follows to \`env\` as one word: write \`#!/usr/bin/env -S ${name}\`, or name the program in full.`
  const helper = helpers.get(name)
  if (helper !== undefined) return `Let the image have it: ${helper}.`
  const program = basename(name)
  const other = elsewhere(subject.fs, program, start)
  if (other === undefined)
    return `Put the package that has it into the image and name it in full: \`"\${pkgs.${attribute(program)}}/bin/${program}"\`.`
  return `The image has ${other}: name it in full, \`"\${…}${inPackage(other)}"\` with its package, or add that package to \`contents\`.`
}

/** Looking through thousands of packages takes a while, and many programs may be missing. */
const folders = new WeakMap()

/** A program of that name elsewhere in the image: in a package rather than where distributions have it. */
export function elsewhere(fs, name, start) {
  const known = folders.get(fs) ?? programFolders(fs)
  folders.set(fs, known)
  const isProgram = path => {
    const entry = fs.find(path)?.entry
    return entry?.type === 'file' && mayExecute(entry, start.user)
  }
  return known.map(folder => `${folder}/${name}`).find(isProgram)
}

function programFolders(fs) {
  const packages = fs.list('/nix/store').map(path => `/nix/store/${path}`)
  return [...packages, '', '/usr', '/usr/local']
    .flatMap(prefix => [`${prefix}/bin`, `${prefix}/sbin`])
    .filter(folder => fs.find(folder)?.entry.type === 'directory')
}

/** What follows a package's store path; all of any other path. */
function inPackage(path) {
  return path.replace(/^\/nix\/store\/[^/]+/, '')
}

/** A name of nixpkgs' that may well be right. */
function attribute(program) {
  return /^[A-Za-z_][\w'-]*$/.test(program) ? program : 'hello'
}

/** A file that is neither a program nor a script. */
export function formatFinding(start, found, head) {
  // A runtime that has a handler for it runs WebAssembly.
  const isWasm = head.toString('latin1', 0, 4) === '\0asm'
  // What execvp gives to a shell may well be a script.
  if (isWasm || start.by === 'execvp') return []
  const what = head.length === 0 ? 'is empty' : 'is neither a program nor begins with `#!` and an interpreter'
  return [
    finding(start, {
      rule: 'format',
      place: found.path,
      why: `${start.place} starts it, and it ${what}: \`exec ${start.argv[0]}: exec format error\`.`,
      fix: 'Begin the script with `#!` and the path of its interpreter: `pkgs.writeShellScript` does.',
    }),
  ]
}

/** The kernel's own bound. */
export function tooManyScripts(start, found) {
  return finding(start, {
    rule: 'shebang',
    place: found.path,
    why: `It is a script whose interpreter is a script, and so on, more often than Linux follows: \`exec ${start.argv[0]}: too many levels of symbolic links\`.`,
    fix: 'Name a program as the interpreter.',
  })
}

export function who({ user }) {
  return user.uid === 0 ? 'root' : `user ${user.uid}`
}

export function octal(mode) {
  return mode.toString(8).padStart(4, '0')
}
