/**
 * Reads the beginning of a `.drv` file: `Derive([("out","/nix/store/…","",""),…],[("/nix/store/….drv",["out"]),…],…`.
 * The form has been the same for all versions of Nix; see Dolstra, The Purely Functional Software Deployment Model, 5.
 * @returns undefined for what has another form, as dynamic derivations do
 */
export function parseDerivation(text) {
  let at = 0
  const take = expected => {
    if (!text.startsWith(expected, at)) return false
    at += expected.length
    return true
  }
  const must = expected => {
    if (!take(expected)) throw new SyntaxError(`no ${expected} at ${at}`)
  }
  const string = () => {
    must('"')
    const start = at
    while (text[at] !== '"') {
      if (at >= text.length) throw new SyntaxError('the text ends in a string')
      at += text[at] === '\\' ? 2 : 1
    }
    return text.slice(start, at++).replace(/\\(.)/gs, (_, char) => escapes[char] ?? char)
  }
  const list = item => {
    const items = []
    must('[')
    if (take(']')) return items
    do items.push(item())
    while (take(','))
    must(']')
    return items
  }
  try {
    must('Derive(')
    const outputs = list(() => {
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

const escapes = { n: '\n', r: '\r', t: '\t' }
