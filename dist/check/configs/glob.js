/**
 * Paths that a pattern of `*`, `?` and `[…]` stands for, sorted; as glob(3), a leading dot has to be written.
 * @param pattern absolute
 */
export function globFiles(fs, pattern) {
  let found = ['']
  for (const part of pattern.split('/').filter(Boolean)) {
    if (!/[*?[]/.test(part)) {
      found = found.map(path => `${path}/${part}`).filter(path => fs.find(path) !== undefined)
      continue
    }
    const matches = matcher(part)
    found = found.flatMap(path =>
      fs
        .list(path || '/')
        .filter(matches)
        .map(name => `${path}/${name}`),
    )
  }
  return found.sort()
}

function matcher(part) {
  const source = part.replace(/\[!?\]?[^\]]*\]|[\s\S]/g, piece => {
    if (piece === '*') return '[^/]*'
    if (piece === '?') return '[^/]'
    if (piece.length > 1)
      return `[${piece.startsWith('[!') ? '^' : ''}${piece.slice(piece.startsWith('[!') ? 2 : 1, -1).replace(/[\\[\]^]/g, '\\$&')}]`
    return piece.replace(/[\\^$.|+()[\]{}]/g, '\\$&')
  })
  try {
    const whole = new RegExp(`^${source}$`, 's')
    return name => (!name.startsWith('.') || part.startsWith('.')) && whole.test(name)
  } catch {
    // A range the wrong way round matches nothing.
    return () => false
  }
}
