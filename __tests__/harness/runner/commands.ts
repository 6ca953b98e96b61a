import { Masks } from './masks.ts'

/** https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands */
export type Command = {
  readonly name: string
  readonly properties: Readonly<Record<string, string>>
  readonly data: string
}

export type Annotation = {
  readonly message: string
  readonly title?: string
  readonly file?: string
  readonly line?: number
  readonly endLine?: number
  readonly col?: number
  readonly endColumn?: number
}

export type Group = { readonly title: string; readonly lines: readonly string[] }

/**
 * Reads a line such as `::error file=a.ts,line=3::It broke`, or the older `##[error]It broke`, which may stand
 * anywhere in a line. `undefined` when it is an ordinary line.
 */
export function parseCommand(line: string): Command | undefined {
  const match =
    /^\s*::(?<name>[^\s:]+)(?: (?<properties>(?:(?!::).)*))?::(?<data>.*)$/.exec(line) ??
    /##\[(?<name>[^\s\]]+)(?: (?<properties>[^\]]*))?\](?<data>.*)$/.exec(line)
  if (match?.groups === undefined) return undefined
  const { name = '', properties = '', data = '' } = match.groups
  const pairs = properties
    .split(match[0].startsWith('##[') ? ';' : ',')
    .map(pair => pair.trim())
    .filter(pair => /^[^=]+=./.test(pair))
    .map(pair => {
      const at = pair.indexOf('=')
      return [pair.slice(0, at), decode(pair.slice(at + 1), true)] as const
    })
  return { name: name.toLowerCase(), properties: Object.fromEntries(pairs), data: decode(data, false) }
}

function decode(text: string, property: boolean): string {
  const inProperties = property ? text.replaceAll('%3A', ':').replaceAll('%2C', ',') : text
  return inProperties.replaceAll('%0D', '\r').replaceAll('%0A', '\n').replaceAll('%25', '%')
}

/** What the runner makes of the lines that one step prints. */
export class StepLog {
  /** As people see it: commands carried out, secrets masked. */
  readonly log: string[] = []
  /** As it was printed, without the commands that name a secret to be masked. */
  readonly raw: string[] = []
  readonly errors: Annotation[] = []
  readonly warnings: Annotation[] = []
  readonly notices: Annotation[] = []
  readonly debugs: string[] = []
  readonly groups: Group[] = []
  /** Outputs and state that were given by the commands that files have replaced. */
  readonly outputs = new Map<string, string>()
  readonly state = new Map<string, string>()
  /** Whether the runner fails the step whatever its exit code is. */
  failed = false
  readonly #masks: Masks
  readonly #debug: boolean
  #group: { title: string; lines: string[] } | undefined
  #stopped: string | undefined

  /** @param debug whether `::debug::` lines are shown, as they are when step debugging is on */
  constructor(masks = new Masks(), debug = false) {
    this.#masks = masks
    this.#debug = debug
  }

  line(text: string): void {
    const command = parseCommand(text)
    if (command?.name !== 'add-mask' || this.#stopped !== undefined) this.raw.push(text)
    if (this.#stopped !== undefined) {
      if (command?.name === this.#stopped) this.#stopped = undefined
      this.#say(text)
      return
    }
    if (command === undefined || !this.#carryOut(command)) this.#say(text)
  }

  /** Whether it is a command that the runner knows. */
  #carryOut({ name, properties, data }: Command): boolean {
    switch (name) {
      case 'error':
        this.#annotate(this.errors, name, data, properties)
        return true
      case 'warning':
        this.#annotate(this.warnings, name, data, properties)
        return true
      case 'notice':
        this.#annotate(this.notices, name, data, properties)
        return true
      case 'debug':
        this.debugs.push(data)
        if (this.#debug) this.#say(`##[debug]${data}`)
        return true
      case 'group':
        this.#endGroup()
        this.#say(`##[group]${data}`)
        this.#group = { title: data, lines: [] }
        return true
      case 'endgroup':
        this.#endGroup()
        this.#say('##[endgroup]')
        return true
      case 'add-mask':
        if (data.trim() === '')
          this.#annotate(this.warnings, 'warning', "Can't add secret mask for empty string", {})
        else this.#masks.add(data)
        return true
      case 'stop-commands':
        if (data === '' || known.includes(data)) this.fail(`Invalid stop-commands token '${data}'`)
        else this.#stopped = data.toLowerCase()
        return true
      case 'set-output':
        this.outputs.set(properties.name ?? '', data)
        return true
      case 'save-state':
        this.state.set(properties.name ?? '', data)
        return true
      case 'set-env':
      case 'add-path':
        this.fail(`The \`${name}\` command is disabled.`)
        return true
      default:
        return known.includes(name)
    }
  }

  /** Something that the runner itself holds against the step. */
  fail(message: string): void {
    this.error(message)
    this.failed = true
  }

  error(message: string): void {
    this.#annotate(this.errors, 'error', message, {})
  }

  #annotate(list: Annotation[], kind: string, message: string, properties: Command['properties']): void {
    const { title, file } = properties
    const numbers = ['line', 'endLine', 'col', 'endColumn']
      .filter(name => properties[name] !== undefined)
      .map(name => [name, Number(properties[name])])
    list.push({
      message,
      ...(title === undefined ? {} : { title }),
      ...(file === undefined ? {} : { file }),
      ...Object.fromEntries(numbers),
    })
    this.#say(`##[${kind}]${message}`)
  }

  #say(text: string): void {
    const masked = this.#masks.apply(text)
    this.log.push(masked)
    this.#group?.lines.push(masked)
  }

  #endGroup(): void {
    if (this.#group !== undefined) this.groups.push(this.#group)
    this.#group = undefined
  }

  /** A group that was never closed ends with the step. */
  end(): void {
    this.#endGroup()
  }
}

const known = [
  'error',
  'warning',
  'notice',
  'debug',
  'group',
  'endgroup',
  'add-mask',
  'add-matcher',
  'remove-matcher',
  'stop-commands',
  'set-output',
  'save-state',
  'set-env',
  'add-path',
  'echo',
]
