import { isElf } from './elf.js'
import { readAt } from './file.js'
import { rest, splitWords } from './start.js'

const largestWrapper = 128 * 1024

/**
 * A program that nixpkgs' makeBinaryWrapper compiled: it holds the words that it was made with.
 * https://github.com/NixOS/nixpkgs/blob/master/pkgs/by-name/ma/makeBinaryWrapper/make-binary-wrapper.sh
 */
export function binaryWrapper({ fs }, start, found) {
  if (found.entry.size > largestWrapper || !found.path.startsWith('/nix/store/')) return []
  const read = readAt(fs, found)
  if (!isElf(read(0, 4))) return []
  const text = read(0, largestWrapper).toString('latin1')
  const words = splitWords(/\nmakeCWrapper (?<words>[^\0]*?)\n\n/.exec(text)?.groups?.words ?? '')
  const [program] = words
  if (program === undefined || words.includes('--chdir')) return []
  const variables = words.filter((_, i) =>
    /^--(?:set|set-default|prefix|suffix|unset)$/.test(words[i - 1] ?? ''),
  )
  return rest({ ...start, argv: [program, ...start.argv.slice(1)] }, 0, {
    by: 'kernel',
    rule: 'script',
    place: found.path,
    unknown: new Set([...(start.unknown ?? []), ...variables]),
  })
}
