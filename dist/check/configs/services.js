import { readText } from '../text.js'

import { namedProgram } from './named.js'
import { commandsOf, startedPrograms } from './started.js'

const rule = 'services'
const overlay = '/etc/s6-overlay'

/**
 * Services of s6, s6-overlay and runit: each has a program `run`, which is started again and again when it ends.
 * https://skarnet.org/software/s6/servicedir.html, https://github.com/just-containers/s6-overlay, http://smarden.org/runit/
 */
export const servicesRule = {
  *inspect(subject) {
    for (const service of servicesOf(subject)) yield* inspectService(subject, service)
  },
}

function* servicesOf(subject) {
  const { fs } = subject
  for (const started of startedPrograms(subject)) {
    const directories = folder =>
      fs
        .list(folder)
        .filter(name => !name.startsWith('.') && fs.find(`${folder}/${name}`)?.entry.type === 'directory')
        .map(name => ({ folder: `${folder}/${name}`, started, compiled: false }))
    if (started.name === 's6-svscan' || started.name === 'runsvdir') {
      const scanned = scanDirectory(started)
      if (scanned !== undefined) yield* directories(scanned)
    } else if (started.name === 'init' && fs.find('/package/admin/s6-overlay') !== undefined) {
      const inOverlay = { ...started, environment: overlayEnvironment(started) }
      for (const service of directories('/etc/services.d')) yield { ...service, started: inOverlay }
      for (const folder of overlayServices(subject)) yield { folder, started: inOverlay, compiled: true }
    }
  }
}

/** Its /init adds to PATH the folders that it needs, also where no links to its programs are in the others. */
function overlayEnvironment({ environment }) {
  const folders = environment.get('PATH')?.split(':')
  if (folders === undefined) return environment
  const added = ['/command', '/usr/bin', '/bin'].filter(folder => !folders.includes(folder))
  return new Map([...environment, ['PATH', [...added, ...folders].join(':')]])
}

/** What s6-svscan and runsvdir are told to look at. */
function scanDirectory({ argv, name }) {
  const withValue = name === 's6-svscan' ? 'cdtX' : ''
  const at = argv.findIndex((arg, index) => {
    const before = argv[index - 1] ?? ''
    const isValue = /^-.$/.test(before) && withValue.includes(before.slice(1))
    return index > 0 && !arg.startsWith('-') && !isValue
  })
  return argv[at]?.startsWith('/') ? argv[at] : undefined
}

/** Services of s6-rc that the bundle `user` brings up, with those that they need. */
function overlayServices({ fs }) {
  const sources = `${overlay}/s6-rc.d`
  const bundles = ['user', 'user2'].flatMap(name => [
    `${sources}/${name}`,
    `${overlay}/user-bundles.d/${name}`,
  ])
  const found = new Set()
  const queue = bundles.flatMap(bundle => fs.list(`${bundle}/contents.d`))
  for (const name of queue) {
    const folder = `${sources}/${name}`
    if (found.has(folder) || fs.find(folder) === undefined) continue
    found.add(folder)
    queue.push(...fs.list(`${folder}/dependencies.d`), ...fs.list(`${folder}/contents.d`))
  }
  return [...found].filter(folder => readText(fs, `${folder}/type`)?.trim() === 'longrun')
}

function* inspectService(subject, { folder, started, compiled }) {
  const { fs } = subject
  const severity = started.sure ? 'error' : 'warning'
  const name = folder.slice(folder.lastIndexOf('/') + 1)
  const run = `${folder}/run`
  const effect = `The service \`${name}\` never starts; it is tried again every second`
  // A service may be made when the container starts, and one that is marked `down` waits for somebody.
  if (fs.find(run) === undefined || fs.find(`${folder}/down`) !== undefined) return
  const program = { rule, severity, environment: started.environment, effect }
  const inside = [...inspectScript(subject, run, { ...program, started })]
  // s6-rc makes what it compiles executable.
  if (!compiled || isExecutable(subject, run)) {
    const findings = namedProgram(subject, { ...program, place: run, argv: [run] })
    // What is said of a line is not said of the whole script, too.
    for (const finding of findings) if (inside.length === 0 || finding.rule !== 'script') yield finding
  }
  yield* inside
}

/** What the shell script `run` becomes, where it says so. */
function* inspectScript(subject, run, program) {
  const { severity, started } = program
  const text = readText(subject.fs, run)
  if (text === undefined || !/^#!.*\b(?:ba|da|a)?sh\b/.test(text)) return
  for (const { words, line, last, sure, environment } of commandsOf(text, [], started)) {
    if (!last) continue
    const place = `${run}:${line}`
    const certain = sure ? severity : 'warning'
    yield* namedProgram(subject, { ...program, severity: certain, place, argv: words, environment })
  }
}

function isExecutable({ fs }, path) {
  return ((fs.find(path)?.entry.mode ?? 0) & 0o111) !== 0
}
