import { readText } from '../files/text.js'
import { globFiles } from './glob.js'
import { parseIni } from './ini.js'

/**
 * Reads the config at `path` and what it includes. http://supervisord.org/configuration.html
 * @param env what supervisord gets from the image
 * @returns undefined where there is no such file
 */
export function readSupervisord(fs, path, env) {
  const text = readText(fs, path)
  if (text === undefined) return undefined
  const here = path.slice(0, path.lastIndexOf('/')) || '/'
  const main = { path, text }
  const names = environmentNames(env)
  const include = parseIni([main]).sections.get('include')?.values.get('files')?.text ?? ''
  const patterns =
    expand(include, { ...names, here })
      ?.split(/\s+/)
      .filter(Boolean) ?? []
  const included = patterns
    .flatMap(pattern => globFiles(fs, pattern.startsWith('/') ? pattern : `${here}/${pattern}`))
    .map(file => ({ path: file, text: readText(fs, file) ?? '' }))
  const ini = parseIni([main, ...included])
  const set = (section, key) =>
    ini.sections.get(section)?.values.get(key) ?? ini.sections.get('DEFAULT')?.values.get(key)
  // What [supervisord] sets in its environment can be used as if it had come with it.
  const own = { ...names, ...environmentNames(environmentOf(set('supervisord', 'environment')?.text, names)) }
  return {
    path,
    ini,
    setting(section, key) {
      const value = set(section, key)
      if (value === undefined) return undefined
      const [kind, name = ''] = section.split(/:(.*)/s)
      const folder = value.file.slice(0, value.file.lastIndexOf('/')) || '/'
      const process = environmentNames(environmentOf(set(section, 'environment')?.text, own))
      const all = {
        ...own,
        ...(key === 'command' ? process : {}),
        here: folder,
        ...(kind === 'supervisord' ? {} : { program_name: name, group_name: name, process_num: '0' }),
      }
      const text = expand(value.text, all)
      return text === undefined ? undefined : { text, place: placeOf(value) }
    },
  }
}

export function programsOf(config) {
  const path = environmentOf(config.setting('supervisord', 'environment')?.text, {}).get('PATH')
  return [...config.ini.sections]
    .filter(([name]) => /^(?:program|fcgi-program|eventlistener):/.test(name))
    .map(([section, { values, ...header }]) => {
      const setting = key => config.setting(section, key)
      const environment = setting('environment')?.text
      const logfiles = ['stdout_logfile', 'stderr_logfile'].map(setting)
      return {
        section,
        place: placeOf(header),
        command: setting('command'),
        hasCommand:
          values.has('command') || config.ini.sections.get('DEFAULT')?.values.has('command') === true,
        autostart: !/^(?:false|no|off|0)$/i.test(setting('autostart')?.text ?? ''),
        user: setting('user'),
        directory: setting('directory'),
        path: environmentOf(environment, {}).get('PATH') ?? path,
        logfiles: logfiles.filter(logfile => logfile !== undefined),
      }
    })
}

export function placeOf({ file, line }) {
  return `${file}:${line}`
}

/** `A="x,y",B=z`, as a map; what is no such text is none. */
function environmentOf(text, names) {
  const pairs = (text === undefined ? '' : (expand(text, names) ?? '')).matchAll(
    /([^\s,=]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s,]*))/g,
  )
  return new Map(
    [...pairs].map(([, name = '', double, single, plain]) => [name, double ?? single ?? plain ?? '']),
  )
}

function environmentNames(env) {
  return Object.fromEntries([...env].map(([name, value]) => [`ENV_${name}`, value]))
}

/** Fills `%(name)s` in as Python does; undefined where a name is not known before the container is started. */
function expand(text, names) {
  let known = true
  const filled = text.replace(/%(?:%|\((\w+)\)0?\d*[sd])/g, (all, name) => {
    if (all === '%%') return '%'
    const value = name === undefined ? undefined : names[name]
    if (value === undefined) known = false
    return value ?? ''
  })
  return known ? filled : undefined
}
