import { plainFlavor, readFlavor } from './flavor.js'
import { annotationsFor, labelsFor } from './labels.js'
import { entriesOf } from './list.js'
import { tagsFor } from './tags.js'

export const metadataInputs = ['tags', 'flavor', 'labels', 'annotations']

/**
 * Reads the four inputs.
 * @param read gives an input's text
 * @param parsed takes what is thrown while an input is read for a problem of this input, and gives undefined
 */
export function readMetadata(read, event, parsed) {
  const flavor = parsed('flavor', () => readFlavor(entriesOf(read('flavor')))) ?? plainFlavor
  const { tags = [], warnings = [] } =
    parsed('tags', () => tagsFor(entriesOf(read('tags')), event, flavor)) ?? {}
  const [version] = tags
  const none = { manifest: {}, index: {} }
  return {
    ...{ tags, warnings },
    labels: parsed('labels', () => labelsFor(entriesOf(read('labels')), event, version)) ?? {},
    annotations:
      parsed('annotations', () => annotationsFor(entriesOf(read('annotations')), event, version)) ?? none,
  }
}
