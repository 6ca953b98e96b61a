import { posix } from 'node:path'
import { indexTar } from '../util/tar.js'

/** As many symlinks as Linux follows. */
const mostLinks = 40

/**
 * Looks an archive through. Names may begin with `./`; of one that is there twice the last counts; links are followed
 * inside of the archive, since archives of old have them from layer to layer.
 * @throws UserError when the archive is damaged
 */
export async function membersOf(file) {
  const members = new Map((await indexTar(file)).map(member => [normalise(member.name), member]))
  return name => {
    let at = normalise(name)
    for (let links = 0; links <= mostLinks; links++) {
      const member = members.get(at)
      if (member?.type === 'file') return member
      if (member?.type === 'symlink') at = normalise(posix.join(posix.dirname(at), member.linkName))
      else if (member?.type === 'hardlink') at = normalise(member.linkName)
      else return undefined
    }
    return undefined
  }
}

function normalise(name) {
  return posix.normalize(name).replace(/^\/+/, '')
}
