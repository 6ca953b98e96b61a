/** Blocks in blocks, deeper than anybody writes. */
const deepest = 100

const token =
  /(?<space>\s+|#[^\n]*)|(?<mark>[;{}])|"(?<double>(?:[^"\\]|\\[\s\S])*)"|'(?<single>(?:[^'\\]|\\[\s\S])*)'|(?<plain>(?:\$\{[^}]{0,256}\}|\\[\s\S]|[^\s;{}"'\\])(?:\$\{[^}]{0,256}\}|\\[\s\S]|[^\s;{}\\])*)|(?<other>[\s\S])/gy

/**
 * Reads a config of nginx, without what it includes. What it would refuse ends the reading.
 * https://nginx.org/en/docs/beginners_guide.html#conf_structure
 * @param block what the file is included in
 */
export function parseNginx(text, file, block = '') {
  const found = []
  const blocks = block === '' ? [] : block.split('/')
  let words = []
  let line = 1
  for (const match of text.matchAll(token)) {
    const { space, mark, double, single, plain, other } = match.groups ?? {}
    if (other !== undefined || blocks.length > deepest) break
    if (mark !== undefined) {
      const [name, ...args] = words
      if (name !== undefined) {
        const texts = args.map(word => word.text)
        found.push({ name: name.text, args: texts, block: blocks.join('/'), file, line: name.line })
      }
      if (mark === '{') blocks.push(name?.text ?? '')
      if (mark === '}') blocks.pop()
      words = []
    } else if (space === undefined) words.push({ text: unescaped(double ?? single ?? plain ?? ''), line })
    line += match[0].split('\n').length - 1
  }
  return found
}

/** Other backslashes belong to what is written: regular expressions mostly. */
function unescaped(text) {
  return text.replace(/\\(["'\\\s;{}])/g, '$1')
}
