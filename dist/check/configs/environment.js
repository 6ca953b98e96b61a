import { assigned } from '../programs/shell-text.js'

export function environmentOf({ env, unknown = new Set() }) {
  return new Map([...env, ...unknownOf(unknown)])
}

/** How a program is started that gets such an environment. */
export function withEnvironment(start, environment) {
  const known = [...environment].flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))
  const unknown = [...environment].flatMap(([name, value]) => (value === undefined ? [name] : []))
  return { ...start, env: new Map(known), unknown: new Set(unknown) }
}

/** What a line of a shell's text makes of an environment. */
export function afterLine(environment, line) {
  const { name, quoted, plain } =
    /^export\s+(?<name>[A-Za-z_]\w*)=(?:"(?<quoted>[^"$`\\]*)"|(?<plain>[\w/.:+@%=,-]*))$/.exec(line)
      ?.groups ?? {}
  if (name !== undefined) return new Map([...environment, [name, quoted ?? plain]])
  const names = assigned(line)
  return names.length === 0 ? environment : new Map([...environment, ...unknownOf(names)])
}

export function unknownOf(names) {
  return [...names].map(name => [name, undefined])
}
