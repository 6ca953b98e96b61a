import { posix } from 'node:path'
import { type ByteSource, indexTar, type TarMember } from '../util/tar.ts'

/** As many symlinks as Linux follows. */
const mostLinks = 40

/** Finds the file that a name in an archive stands for; undefined when there is none. */
export type Members = (name: string) => TarMember | undefined

/**
 * Looks an archive through. Names may begin with `./`; of one that is there twice the last counts; links are followed
 * inside of the archive, since archives of old have them from layer to layer.
 * @throws UserError when the archive is damaged
 */
export async function membersOf(file: ByteSource): Promise<Members> {
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

function normalise(name: string): string {
  return posix.normalize(name).replace(/^\/+/, '')
}
