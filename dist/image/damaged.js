import { UserError } from '../util/errors.js'

/** @param layer what it is called: its diffID, where it has one */
export function damagedLayer(layer, how) {
  return new UserError(`The image is damaged: its layer ${layer} ${how}.`, {
    advice: 'Build the image again. If it stays so, what builds it writes wrong sizes or digests into it.',
  })
}
