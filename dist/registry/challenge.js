const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
const parameter = new RegExp(
  `(${token})[ \\t]*=[ \\t]*(?:"((?:[^"\\\\]|\\\\.)*)"|(${token}))(?=[ \\t]*(?:,|$))`,
  'y',
)
const scheme = new RegExp(`(${token})(?:[ \\t]+|(?=,|$))`, 'y')
const token68 = /[A-Za-z0-9._~+/-]+=*[ \t]*(?=,|$)/y
const gap = /[ \t,]*/y

/**
 * Reads a WWW-Authenticate header (RFC 9110, section 11.6.1), also several that were joined by commas.
 * What follows something that is not understood is left out.
 */
export function parseChallenges(header) {
  const found = []
  let at = 0
  const take = pattern => {
    pattern.lastIndex = at
    const match = pattern.exec(header)
    if (match !== null) at = pattern.lastIndex
    return match
  }
  for (;;) {
    take(gap)
    if (at >= header.length) return found
    const current = found.at(-1)
    const pair = current === undefined ? null : take(parameter)
    if (current !== undefined && pair !== null) {
      const [, name = '', quoted, plain = ''] = pair
      current.parameters.set(name.toLowerCase(), quoted?.replace(/\\(.)/g, '$1') ?? plain)
      continue
    }
    const next = take(scheme)
    if (next?.[1] === undefined) return found
    found.push({ scheme: next[1].toLowerCase(), parameters: new Map() })
    const before = at
    if (take(parameter) === null) take(token68)
    else at = before
  }
}
