import { readFileSync } from 'node:fs'

/** What a derivation makes and what it is made from, as far as a cache must know it. */
export type Derivation = {
  /** Store path by output name; empty where it is known only after the build. */
  readonly outputs: ReadonlyMap<string, string>
  readonly inputs: readonly { readonly drvPath: string; readonly outputs: readonly string[] }[]
  /** Store paths that are there before anything is built. */
  readonly sources: readonly string[]
}

/** The text of a `.drv` file; undefined where it is not on this machine, or cannot be read. */
export function derivationText(drvPath: string): string | undefined {
  try {
    return readFileSync(drvPath, 'utf8')
  } catch {
    return undefined
  }
}

/** A derivation with what its builder is told. */
export type WholeDerivation = Derivation & {
  /** What a fixed output has to be: `sha256` of one file, `r:sha256` of a tree, and the hash in hex. */
  readonly fixed: { readonly algorithm: string; readonly hash: string } | undefined
  readonly env: ReadonlyMap<string, string>
}

/**
 * Reads the beginning of a `.drv` file: `Derive([("out","/nix/store/…","",""),…],[("/nix/store/….drv",["out"]),…],…`.
 * The form has been the same for all versions of Nix; see Dolstra, The Purely Functional Software Deployment Model, 5.
 * @returns undefined for what has another form, as dynamic derivations do
 */
export function parseDerivation(text: string): Derivation | undefined {
  return unlessMalformed(() => {
    const { outputs, inputs, sources } = readBeginning(new Reader(text))
    return { outputs: new Map(outputs.map(({ name, path }) => [name, path])), inputs, sources }
  })
}

/**
 * Reads a whole `.drv` file.
 * @returns undefined for what has another form
 */
export function parseWholeDerivation(text: string): WholeDerivation | undefined {
  return unlessMalformed(() => {
    const reader = new Reader(text)
    const { outputs, inputs, sources } = readBeginning(reader)
    reader.must(',')
    // System and builder.
    reader.strings(2)
    reader.must(',')
    reader.list(() => reader.string())
    reader.must(',')
    const env = reader.list(() => {
      reader.must('(')
      const [name = '', value = ''] = reader.strings(2)
      reader.must(')')
      return [name, value] as const
    })
    reader.must(')')
    // In the place of a hash there may be a word: the outputs of impure derivations are fixed by nothing.
    const [fixed] = outputs.filter(({ hash }) => /^[0-9a-f]+$/.test(hash))
    return {
      outputs: new Map(outputs.map(({ name, path }) => [name, path])),
      ...{ inputs, sources, env: new Map(env) },
      fixed: fixed && { algorithm: fixed.algorithm, hash: fixed.hash },
    }
  })
}

/** The variables of a builder by name, whether it gets them one by one or as JSON (`__structuredAttrs`). */
export function toldToBuilder({ env }: WholeDerivation): Readonly<Record<string, unknown>> {
  const structured = env.get('__json')
  if (structured === undefined) return Object.fromEntries(env)
  const told = unlessMalformed((): unknown => JSON.parse(structured))
  return typeof told === 'object' && told !== null ? { ...told } : {}
}

function readBeginning(reader: Reader) {
  reader.must('Derive(')
  const outputs = reader.list(() => {
    reader.must('(')
    const [name = '', path = '', algorithm = '', hash = ''] = reader.strings(4)
    reader.must(')')
    return { name, path, algorithm, hash }
  })
  reader.must(',')
  const inputs = reader.list(() => {
    reader.must('(')
    const drvPath = reader.string()
    reader.must(',')
    const names = reader.list(() => reader.string())
    reader.must(')')
    return { drvPath, outputs: names }
  })
  reader.must(',')
  return { outputs, inputs, sources: reader.list(() => reader.string()) }
}

/** Nix's own notation of terms: ATerm. */
class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  must(expected: string): void {
    if (!this.#take(expected)) throw new SyntaxError(`no ${expected} at ${this.#at}`)
  }

  string(): string {
    this.must('"')
    const text = this.#text
    const start = this.#at
    let end = text.indexOf('"', start)
    while (isEscaped(text, start, end)) end = text.indexOf('"', end + 1)
    if (end === -1) throw new SyntaxError('the text ends in a string')
    this.#at = end + 1
    const string = text.slice(start, end)
    return string.includes('\\') ? string.replace(/\\(.)/gs, (_, char) => escapes[char] ?? char) : string
  }

  /** So many strings, with commas between them. */
  strings(number: number): string[] {
    return Array.from({ length: number }, (_, at) => {
      if (at > 0) this.must(',')
      return this.string()
    })
  }

  list<T>(item: () => T): T[] {
    const items: T[] = []
    this.must('[')
    if (this.#take(']')) return items
    do items.push(item())
    while (this.#take(','))
    this.must(']')
    return items
  }

  #take(expected: string): boolean {
    if (!this.#text.startsWith(expected, this.#at)) return false
    this.#at += expected.length
    return true
  }
}

/** Whether an odd number of backslashes is before a place. */
function isEscaped(text: string, start: number, at: number): boolean {
  let before = at
  while (before > start && text[before - 1] === '\\') before--
  return (at - before) % 2 === 1
}

function unlessMalformed<T>(parse: () => T): T | undefined {
  try {
    return parse()
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' }
