/** What a derivation makes and what it is made from, as far as a cache must know it. */
export type Derivation = {
  /** Store path by output name; empty where it is known only after the build. */
  readonly outputs: ReadonlyMap<string, string>
  readonly inputs: readonly { readonly drvPath: string; readonly outputs: readonly string[] }[]
  /** Store paths that are there before anything is built. */
  readonly sources: readonly string[]
}

/**
 * Reads the beginning of a `.drv` file: `Derive([("out","/nix/store/…","",""),…],[("/nix/store/….drv",["out"]),…],…`.
 * The form has been the same for all versions of Nix; see Dolstra, The Purely Functional Software Deployment Model, 5.
 * @returns undefined for what has another form, as dynamic derivations do
 */
export function parseDerivation(text: string): Derivation | undefined {
  let at = 0
  const take = (expected: string): boolean => {
    if (!text.startsWith(expected, at)) return false
    at += expected.length
    return true
  }
  const must = (expected: string): void => {
    if (!take(expected)) throw new SyntaxError(`no ${expected} at ${at}`)
  }
  const string = (): string => {
    must('"')
    const start = at
    while (text[at] !== '"') {
      if (at >= text.length) throw new SyntaxError('the text ends in a string')
      at += text[at] === '\\' ? 2 : 1
    }
    return text.slice(start, at++).replace(/\\(.)/gs, (_, char) => escapes[char] ?? char)
  }
  const list = <T>(item: () => T): T[] => {
    const items: T[] = []
    must('[')
    if (take(']')) return items
    do items.push(item())
    while (take(','))
    must(']')
    return items
  }
  try {
    must('Derive(')
    const outputs = list((): [string, string] => {
      must('(')
      const name = string()
      must(',')
      const path = string()
      must(',')
      string()
      must(',')
      string()
      must(')')
      return [name, path]
    })
    must(',')
    const inputs = list(() => {
      must('(')
      const drvPath = string()
      must(',')
      const names = list(string)
      must(')')
      return { drvPath, outputs: names }
    })
    must(',')
    return { outputs: new Map(outputs), inputs, sources: list(string) }
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' }
