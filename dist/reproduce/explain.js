import { messageOf } from '../util/errors.js'
import { compareOutputs } from './image.js'

/** What is found after these is not looked for. */
const mostDifferences = 20

/**
 * Looks for what differs between two builds of an output. That they differ is known without: what cannot be read, or
 * unpacked since the disk is full, is a warning.
 * @throws when `options.signal` aborts
 */
export async function explain(first, second, options) {
  const { name, log, signal } = options
  const differences = []
  try {
    for await (const difference of compareOutputs(first, second, options)) {
      if (differences.length === mostDifferences) return { differences, more: true }
      differences.push(difference)
    }
  } catch (error) {
    signal?.throwIfAborted()
    log.warning(`What differs in ${name} was not found: ${messageOf(error)}`)
  }
  return { differences, more: false }
}
