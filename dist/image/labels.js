import { UserError } from '../util/errors.js'
import { longestDocument } from './document.js'

import { parseOrdered, pythonJson } from './python.js'

/**
 * The image with labels in its config, besides those that it has. Without labels it is the image itself, byte for byte.
 * @param labels by name
 */
export function withLabels(image, labels) {
  if (Object.keys(labels).length === 0) return image
  return Object.freeze({ ...image, config: diffIds => labelled(image.config(diffIds), labels) })
}

/** Everything else in the config says what it said before. */
function labelled(bytes, labels) {
  const config = membersOf(parse(bytes))
  const settings = membersOf(config.get('config'))
  const all = new Map([...membersOf(settings.get('Labels')), ...Object.entries(labels)])
  return Buffer.from(pythonJson(new Map([...config, ['config', new Map([...settings, ['Labels', all]])]])))
}

function parse(bytes) {
  try {
    return parseOrdered(new TextDecoder('utf-8', { fatal: true }).decode(bytes), longestDocument)
  } catch (error) {
    throw unusable(error)
  }
}

/** What is not there, or null, has none. */
function membersOf(value) {
  if (value === undefined || value === null) return new Map()
  if (value instanceof Map) return value
  throw unusable()
}

function unusable(cause) {
  return new UserError('The labels cannot be put into the image: its config is not as it should be.', {
    advice: 'Leave `labels` out, or set them where the image is made: `config.Labels`.',
    cause,
  })
}
