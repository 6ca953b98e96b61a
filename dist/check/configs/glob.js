/** Links to `.` would make any number of paths. */
const mostFound = 10_000
/** Of a path, on Linux. */
const longest = 4096

/**
 * Paths that a pattern of `*`, `?` and `[…]` stands for, sorted; as glob(3), a leading dot has to be written.
 * @param pattern absolute
 * @returns at most 10,000
 */
export function globFiles(fs, pattern) {
  if (pattern.length > longest) return []
  let found = ['']
  for (const part of pattern.split('/').filter(Boolean)) {
    if (!/[*?[]/.test(part)) {
      found = found.map(path => `${path}/${part}`).filter(path => fs.find(path) !== undefined)
      continue
    }
    const matches = matcher(part)
    const next = []
    for (const path of found) {
      if (next.length >= mostFound) break
      for (const name of fs.list(path || '/')) if (matches(name)) next.push(`${path}/${name}`)
    }
    found = next.slice(0, mostFound)
  }
  return found.sort()
}

function matcher(part) {
  const pieces = part.match(/\*+|\[!?\]?[^\]]*\]|[\s\S]/g)?.map(pieceOf) ?? []
  return name => (!name.startsWith('.') || part.startsWith('.')) && isMatch(pieces, name)
}

function pieceOf(text) {
  if (text.startsWith('*')) return '*'
  if (text === '?') return () => true
  if (text.length === 1) return character => character === text
  const [not, from] = text.startsWith('[!') ? ['^', 2] : ['', 1]
  try {
    const set = new RegExp(`[${not}${text.slice(from, -1).replace(/[\\[\]^]/g, '\\$&')}]`)
    return character => set.test(character)
  } catch {
    // A range the wrong way round matches nothing.
    return () => false
  }
}

/** Where it does not fit, only the last `*` is given one character more: what an earlier one could take, it can. */
function isMatch(pieces, name) {
  let [piece, at] = [0, 0]
  let last
  while (at < name.length || piece < pieces.length) {
    const wanted = pieces[piece]
    if (wanted === '*') {
      last = { piece, at }
      piece++
    } else if (wanted?.(name[at] ?? '') && at < name.length) {
      piece++
      at++
    } else if (last !== undefined && last.at < name.length) {
      last.at++
      at = last.at
      piece = last.piece + 1
    } else return false
  }
  return true
}
