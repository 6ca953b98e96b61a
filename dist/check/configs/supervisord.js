import { UserError } from '../../util/errors.js'
import { splitShellWords } from '../../util/shell-words.js'

import { isMounted } from '../mounts.js'
import { absolute } from '../programs/access.js'
import { elsewhere } from '../programs/not-started.js'
import { startOf } from '../programs/start.js'
import { isDirectory } from '../text.js'
import { namedProgram, namedUser } from './named.js'
import { optionOf, startedPrograms } from './started.js'
import { placeOf, programsOf, readSupervisord } from './supervisord-config.js'

const rule = 'supervisord'

/**
 * What supervisord's config names: programs, users, and folders for logs and sockets. A program that is missing never
 * starts; where a user or a folder is missing supervisord itself ends. http://supervisord.org/configuration.html
 */
export const supervisordRule = {
  *inspect(subject) {
    for (const { started, config } of supervisordConfigs(subject)) {
      const severity = started.sure ? 'error' : 'warning'
      for (const problem of problemsOf(config)) yield { rule, severity, ...problem }
      for (const { text, place } of foldersOf(config)) {
        // Without /tmp that is one finding, of another rule.
        if (isThere(subject, text) || (isTemporary(text) && !isThere(subject, '/tmp'))) continue
        yield {
          rule,
          // Some engines make it.
          severity: /^(?:\/var)?\/run$/.test(text) ? 'warning' : severity,
          place,
          why: `The directory \`${text}\` is not in the image, and supervisord ends when it cannot put its files there.`,
          fix: makeFolder(text),
        }
      }
      const programs = programsOf(config)
      const users = [config.setting('supervisord', 'user'), ...programs.map(({ user }) => user)]
      // Who is missing is said once.
      for (const user of firstOfEach(users.filter(user => user !== undefined)))
        yield* namedUser(subject, { rule, severity, user, effect: ends })
      for (const program of programs) yield* inspectProgram(subject, started, program)
    }
  },
}

const ends = 'supervisord ends with `Error: Invalid user name` and starts nothing'

/** Folders of the configs in use that supervisord ends without, which are below /tmp: what the rule on /tmp needs to know. */
export function* neededBySupervisord(subject) {
  for (const { started, config } of supervisordConfigs(subject))
    for (const folder of foldersOf(config))
      if (isTemporary(folder.text)) yield { ...folder, sure: started.sure }
}

/** Configs that supervisord reads, where it is seen to start; else the one that it would, if something starts it. */
function* supervisordConfigs(subject) {
  const { fs, config } = subject
  const seen = startedPrograms(subject).filter(({ name }) => name === 'supervisord')
  for (const started of seen.length > 0 ? seen : unseen(subject)) {
    const named = optionOf(started.argv, {
      short: 'c',
      long: 'configuration',
      shortWithValue: 'cumdlyzejiqa',
    })
    const candidates = named === undefined ? defaultConfigs(started) : [named]
    // Without one supervisord ends; but a config may well be mounted.
    const path = candidates
      .map(path => absolute(path, config.workingDir))
      .find(path => fs.find(path) !== undefined)
    const read = path === undefined ? undefined : readSupervisord(fs, path, started.environment)
    if (read !== undefined) yield { started, config: read }
  }
}

/** A supervisord that is in the image, and may be started by what cannot be looked into. */
function unseen(subject) {
  const { fs } = subject
  const nobody = startOf(subject, { argv: [], rule, place: '' })
  const path = elsewhere(fs, 'supervisord', nobody)
  if (path === undefined) return []
  return [{ name: 'supervisord', path, argv: [path], environment: nobody.env, sure: false }]
}

/** Where supervisord looks when it is told nothing: beside its own folder first. */
function defaultConfigs({ path }) {
  const own = path?.split('/').slice(0, -2).join('/')
  return [
    ...(own === undefined ? [] : [`${own}/etc/supervisord.conf`, `${own}/supervisord.conf`]),
    'supervisord.conf',
    'etc/supervisord.conf',
    '/etc/supervisord.conf',
    '/etc/supervisor/supervisord.conf',
  ]
}

/** What supervisord refuses, whatever else is in the image. */
function* problemsOf({ path, ini }) {
  for (const line of ini.refused) {
    const why =
      'This line is no section, no setting and no comment: supervisord ends with `contains parsing errors`.'
    yield { place: placeOf(line), why, fix: 'Correct the line.' }
  }
  if (ini.sections.has('supervisord')) return
  const why = 'supervisord ends with `.ini file does not include supervisord section`.'
  yield { place: path, why, fix: 'Add a section `[supervisord]` with `nodaemon=true`.' }
}

/** Folders that have to be there, by what names them. */
function foldersOf(config) {
  const files = [
    ...['logfile', 'pidfile'].map(key => config.setting('supervisord', key)),
    config.setting('unix_http_server', 'file'),
    ...programsOf(config).flatMap(({ logfiles }) => logfiles),
  ]
  const folders = [config.setting('supervisord', 'childlogdir'), config.setting('supervisord', 'directory')]
  const known = [
    ...files
      .filter(file => file !== undefined)
      .map(({ text, ...rest }) => ({ text: text.replace(/\/[^/]*$/, ''), ...rest })),
    ...folders.filter(folder => folder !== undefined),
  ].filter(({ text }) => text.startsWith('/'))
  // One that is missing is said once.
  return firstOfEach(known)
}

function firstOfEach(settings) {
  const seen = new Set()
  return settings.filter(({ text }) => {
    const isFirst = !seen.has(text)
    seen.add(text)
    return isFirst
  })
}

function* inspectProgram(subject, started, program) {
  const { section, place, command, autostart, directory } = program
  const severity = started.sure ? 'error' : 'warning'
  if (!program.hasCommand) {
    const why = `supervisord ends with \`program section ${section} does not specify a command\`.`
    yield { rule, severity, place, why, fix: 'Add `command=`.' }
  }
  if (command === undefined) return
  const argv = words(command.text)
  const name = argv?.[0]
  if (argv === undefined) {
    yield {
      rule,
      severity: autostart ? severity : 'warning',
      place: command.place,
      why: `The program never starts: \`can't parse command\`, since a quote in it is not closed. supervisord takes \` ;\` and \` #\` for the begin of a comment, also within quotes.`,
      fix: 'Put the command into a script of its own (`pkgs.writeShellScript`), and its path here.',
    }
  } else if (name !== undefined) {
    yield* namedProgram(subject, {
      rule,
      severity: autostart ? severity : 'warning',
      place: command.place,
      argv,
      user: program.user?.text,
      environment: new Map([...started.environment, ...program.environment]),
      effect: `supervisord goes on without \`${section}\`: \`can't find command\`, then \`FATAL\``,
    })
  }
  if (directory?.text.startsWith('/') && !isThere(subject, directory.text)) {
    yield {
      rule,
      // A volume may well be mounted there.
      severity: 'warning',
      place: directory.place,
      why: `The directory \`${directory.text}\` is not in the image: unless it is mounted, \`${section}\` ends with \`couldn't chdir\`.`,
      fix: makeFolder(directory.text),
    }
  }
}

function words(command) {
  try {
    return splitShellWords(command)
  } catch (error) {
    if (error instanceof UserError) return undefined
    throw error
  }
}

function isTemporary(path) {
  return /^\/tmp(?:$|\/)/.test(path)
}

/** Whether there is such a folder when a container runs. */
function isThere(subject, path) {
  return isDirectory(subject.fs, path) || isMounted(subject, path)
}

function makeFolder(path) {
  return `Make it: \`extraCommands = "mkdir -p ${path.slice(1)}"\` of \`dockerTools\`.`
}
