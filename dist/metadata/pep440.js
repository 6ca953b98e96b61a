/** https://packaging.python.org/en/latest/specifications/version-specifiers/ */
const grammar = new RegExp(
  [
    /^v?(?:(?<epoch>\d+)!)?(?<release>\d+(?:\.\d+)*)/,
    /(?:[-_.]?(?<pre>alpha|a|beta|b|preview|pre|c|rc)[-_.]?(?<preNumber>\d+)?)?/,
    /(?:-(?<bare>\d+)|[-_.]?(?<post>post|rev|r)[-_.]?(?<postNumber>\d+)?)?/,
    /(?:[-_.]?(?<dev>dev)[-_.]?(?<devNumber>\d+)?)?/,
    /(?:\+(?<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?$/,
  ]
    .map(({ source }) => source)
    .join(''),
  'i',
)

const preNames = {
  alpha: 'a',
  beta: 'b',
  c: 'rc',
  pre: 'rc',
  preview: 'rc',
}

/** Reads a version; undefined when it is none. */
export function parsePep440(text) {
  const found = grammar.exec(text)?.groups
  if (found === undefined) return undefined
  const {
    epoch = '0',
    release = '',
    pre,
    preNumber = '0',
    bare,
    post,
    postNumber = '0',
    dev,
    devNumber = '0',
    local,
  } = found
  const parts = release.split('.').map(number)
  const letter = pre?.toLowerCase()
  const afterwards = bare ?? (post === undefined ? undefined : postNumber)
  const normal = [
    number(epoch) === '0' ? '' : `${number(epoch)}!`,
    parts.join('.'),
    letter === undefined ? '' : `${preNames[letter] ?? letter}${number(preNumber)}`,
    afterwards === undefined ? '' : `.post${number(afterwards)}`,
    dev === undefined ? '' : `.dev${number(devNumber)}`,
    local === undefined ? '' : `+${local.toLowerCase().split(/[-_.]/).map(localPart).join('-')}`,
  ].join('')
  const [major = 0, minor = 0, patch = 0] = parts.map(Number)
  return { normal, major, minor, patch, final: [pre, afterwards, dev].every(part => part === undefined) }
}

/** Without the zeros that begin it. */
function number(digits) {
  return digits.replace(/^0+(?=\d)/, '')
}

function localPart(part) {
  return /^\d+$/.test(part) ? number(part) : part
}
