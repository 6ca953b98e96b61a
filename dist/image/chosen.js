import { comparePlatforms, formatPlatform, systems as known, parsePlatform, platformOf } from './platform.js'

/**
 * Systems as the input `systems` names them; none where it is `none`.
 * @param own the runner's
 * @param problem takes, in words, what is wrong with the input
 */
export function chosenSystems(named, own, problem) {
  if (named.length === 0) return [own]
  if (named.length === 1 && named[0] === 'none') return []
  const unknown = named.filter(name => !known.includes(name))
  if (unknown.length > 0) problem(`${unknown.join(', ')}: not one of ${known.join(', ')}, or \`none\` alone`)
  return named
}

/**
 * Platforms as the input `platforms` names them, sorted; those of the systems where it names none.
 * @param options.systems that this job builds for
 * @param options.asked whether the user named them
 * @param problem as above
 */
export function chosenPlatforms(texts, { systems, asked }, problem) {
  const own = systems.map(platformOf)
  if (texts.length === 0) return own.toSorted(comparePlatforms)
  const buildable = known.map(system => formatPlatform(platformOf(system)))
  const found = new Map()
  const unknown = []
  for (const text of texts) {
    const platform = parsePlatform(text)
    const name = platform && formatPlatform(platform)
    if (platform === undefined || name === undefined || !buildable.includes(name)) unknown.push(text)
    else found.set(name, platform)
  }
  const left = own.map(formatPlatform).filter(name => !found.has(name))
  if (unknown.length > 0) problem(`${unknown.join(', ')}: not one of ${buildable.join(', ')}`)
  else if (left.length > 0)
    problem(
      asked
        ? `lacks ${left.join(', ')}, which \`systems\` has this job build`
        : `lacks ${left.join(', ')}, which this runner builds: take a runner for ${texts.join(' or ')}, or name in \`systems\` what this job shall build by emulation or on \`builders\``,
    )
  return [...found.values()].toSorted(comparePlatforms)
}
