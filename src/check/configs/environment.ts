import { assigned } from '../programs/shell-text.ts'
import type { Start } from '../programs/start.ts'

/** Variables of a process; undefined are those whose value only the start knows. */
export type Environment = ReadonlyMap<string, string | undefined>

export function environmentOf({ env, unknown = new Set() }: Pick<Start, 'env' | 'unknown'>): Environment {
  return new Map([...env, ...unknownOf(unknown)])
}

/** How a program is started that gets such an environment. */
export function withEnvironment(start: Start, environment: Environment): Start {
  const known = [...environment].flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  )
  const unknown = [...environment].flatMap(([name, value]) => (value === undefined ? [name] : []))
  return { ...start, env: new Map(known), unknown: new Set(unknown) }
}

/** What a line of a shell's text makes of an environment. */
export function afterLine(environment: Environment, line: string): Environment {
  const { name, quoted, plain } =
    /^export\s+(?<name>[A-Za-z_]\w*)=(?:"(?<quoted>[^"$`\\]*)"|(?<plain>[\w/.:+@%=,-]*))$/.exec(line)
      ?.groups ?? {}
  if (name !== undefined) return new Map([...environment, [name, quoted ?? plain]])
  const names = assigned(line)
  return names.length === 0 ? environment : new Map([...environment, ...unknownOf(names)])
}

export function unknownOf(names: Iterable<string>): [string, undefined][] {
  return [...names].map(name => [name, undefined])
}
