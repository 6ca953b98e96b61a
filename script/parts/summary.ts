import type { Stamp } from './paths.ts'

/**
 * What there is, in one line.
 * @param how `made`: it was brought just now, so that where Nix comes from was said before
 */
export function summaryOf({ packages, nix, nixSource }: Stamp, how: 'made' | 'complete'): string {
  const versions = nix.map(({ version }) => version).join(' and ')
  const from = how === 'made' ? '' : ` from ${nixSource}`
  return `.parts is ${how}: ${packages.length} packages, Nix ${versions}${from}`
}
