import { sha256 } from '../util/digest.js'
import { cycloneDx } from './cyclonedx.js'
import { describeItems } from './describe.js'

import { spdx } from './spdx.js'

/**
 * Writes down what an image is made of, in both formats. The same content gives the same bytes, in whatever order it
 * comes: what stands for time is the image's own, and what stands for chance is made from the content.
 */
export function sbomDocuments(inventory) {
  const items = describeItems(inventory)
  const about = { items, created: inventory.image.created, id: uuidOf(JSON.stringify(items)) }
  return [
    { format: 'cyclonedx', extension: '.cdx.json', text: cycloneDx(about) },
    { format: 'spdx', extension: '.spdx.json', text: spdx(about) },
  ]
}

/** A UUID of a version of its own: https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-8 */
function uuidOf(text) {
  const hex = sha256(text).slice('sha256:'.length)
  const variant = '89ab'[Number.parseInt(hex.slice(16, 17), 16) % 4]
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    `${variant}${hex.slice(17, 20)}`,
    hex.slice(20, 32),
  ].join('-')
}
