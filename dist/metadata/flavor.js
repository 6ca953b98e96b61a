import { globalTemplate } from './expressions.js'
import { fieldsOf, readEach } from './list.js'

export const plainFlavor = Object.freeze({ latest: 'auto', prefix: undefined, suffix: undefined })

/** @throws UserError that names every entry that is not understood */
export function readFlavor(entries) {
  const advice =
    'Each line is latest=auto, true or false, or prefix=… or suffix=…, with ,onlatest=true if you like.'
  return Object.freeze(Object.assign({}, plainFlavor, ...readEach(entries, advice, String, readEntry)))
}

function readEntry(entry) {
  const found = {}
  let last
  for (const { name, value } of fieldsOf(entry)) {
    switch (name) {
      case 'latest':
        found.latest = oneOf('latest', value, ['auto', 'true', 'false'])
        break
      case 'prefix':
      case 'suffix':
        found[name] = { text: globalTemplate(value), onLatest: false }
        last = name
        break
      case 'onlatest': {
        const affix = last && found[last]
        if (last === undefined || affix === undefined)
          throw new Error('has onlatest without prefix or suffix before it')
        found[last] = { ...affix, onLatest: oneOf('onlatest', value, ['true', 'false']) === 'true' }
        break
      }
      default:
        throw new Error(`'${name ?? value}' is no part of a flavor`)
    }
  }
  return found
}

function oneOf(name, value, allowed) {
  const found = allowed.find(each => each === value)
  if (found === undefined) throw new Error(`${name}=${value} is not one of ${allowed.join(', ')}`)
  return found
}
