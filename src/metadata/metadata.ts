import type { TagEvent } from './event.ts'
import { plainFlavor, readFlavor } from './flavor.ts'
import { type Annotations, annotationsFor, type Labels, labelsFor } from './labels.ts'
import { entriesOf } from './list.ts'
import { type Tags, tagsFor } from './tags.ts'

export const metadataInputs = ['tags', 'flavor', 'labels', 'annotations'] as const

type MetadataInput = (typeof metadataInputs)[number]

/** What the image is called, and what is said of it. */
export type Metadata = Tags & {
  /** Of the image config; empty where none are asked for. */
  readonly labels: Labels
  readonly annotations: Annotations
}

/**
 * Reads the four inputs.
 * @param read gives an input's text
 * @param parsed takes what is thrown while an input is read for a problem of this input, and gives undefined
 */
export function readMetadata(
  read: (name: MetadataInput) => string,
  event: TagEvent,
  parsed: <T>(name: MetadataInput, parse: () => T) => T | undefined,
): Metadata {
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
