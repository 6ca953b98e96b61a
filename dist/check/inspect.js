import { openRootFs } from '../image/rootfs/open.js'
import { knownPaths } from '../image/store-paths.js'
import { sha256 } from '../util/digest.js'
import { UserError } from '../util/errors.js'
import { cut } from '../util/markdown.js'

import { printable } from './printable.js'
import { rules } from './rules.js'
import { parseRunConfig } from './run-config.js'

const severities = ['error', 'warning', 'hint']
const store = '/nix/store'
/** Characters of each text of a finding. */
const longest = 1000

/**
 * What all rules find in an image, the worst first.
 * @param options.ignored names of findings that are not wanted
 * @param options.scratch an existing directory, for layers that come packed
 * @throws UserError when the image is damaged or cannot be read
 */
export async function inspectImage(image, options) {
  const { ignored, scratch, pathInfo } = options
  // Which layers they are does not matter for how a container starts.
  const config = parseRunConfig(image.config(image.layers.map(({ diffId }) => diffId ?? sha256(''))))
  const fs = await openRootFs(image, { scratch })
  try {
    // Nobody else asks for references, and without them it knows less.
    const references = ignored.includes('toolchain') ? new Map() : await referencesIn(fs, pathInfo)
    return inspect({ fs, config, platform: image.platform, references }).filter(
      ({ rule }) => !ignored.includes(rule),
    )
  } finally {
    await fs.close()
  }
}

async function referencesIn(fs, pathInfo) {
  try {
    const infos = await knownPaths(storePathsOf(fs), store, pathInfo)
    return new Map([...infos].map(([path, { references }]) => [path, references.filter(to => to !== path)]))
  } catch (error) {
    if (error instanceof UserError) return new Map()
    throw error
  }
}

function inspect(subject) {
  const all = rules.flatMap(rule => [...rule.inspect(subject)].map(shown))
  // What two commands start is found twice.
  return [...new Map(all.map(finding => [JSON.stringify(finding), finding])).values()].sort(
    (a, b) =>
      severities.indexOf(a.severity) - severities.indexOf(b.severity) ||
      a.place.localeCompare(b.place, 'en', { numeric: true }),
  )
}

/** What an image makes up is in all three, and may be as long as it likes. */
function shown({ place, why, fix, ...rest }) {
  const text = said => cut(printable(said), longest)
  return { ...rest, place: text(place), why: text(why), fix: text(fix) }
}

function storePathsOf(fs) {
  return fs.list(store).map(name => `${store}/${name}`)
}
