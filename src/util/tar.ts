import { LimitError, UserError } from './errors.ts'
import { textOf } from './raw-path.ts'
import { block, type Extension, extend, isExtension, parseHeader, paxNumber } from './tar-header.ts'

/** Bytes that can be read at any place. `name` is what errors call them. */
export type ByteSource = {
  readonly name: string
  /** Bytes. */
  readonly size: number
  /** Gives exactly `length` bytes from `position`; never asked for what is beyond `size`. */
  read(position: number, length: number): Promise<Buffer>
}

export type TarMember = {
  /** As the archive writes it. */
  readonly name: string
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink' | 'other'
  /** Permissions, with setuid, setgid and sticky bit. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Where the member's data begins in the archive. */
  readonly offset: number
  /** Bytes of data. */
  readonly size: number
  /** Target of a symlink (relative to the member) or of a hard link (relative to the archive); else empty. */
  readonly linkName: string
}

export type TarLimits = {
  /** Members, without extended headers. @default 16384 */
  readonly members?: number
  /** Bytes of a name or link target. @default 4096, Linux's PATH_MAX */
  readonly name?: number
  /** Bytes of one extended header. @default 1 MiB */
  readonly header?: number
}

/** @param head the first 512 bytes, or as many as there are */
export function isTar(head: Buffer): boolean {
  return head.toString('latin1', 257, 262) === 'ustar'
}

/**
 * Lists the members of a tar archive and where their data is, without reading that data.
 * @throws UserError as `scanTar`
 */
export async function indexTar(source: ByteSource, limits: TarLimits = {}): Promise<readonly TarMember[]> {
  const members: TarMember[] = []
  const scan = scanTar(source, limits, member =>
    members.push({ ...member, name: textOf(member.name), linkName: textOf(member.linkName) }),
  )
  for (let step = scan.next(); !step.done; )
    step = scan.next(await source.read(step.value.position, step.value.length))
  return members
}

/** Bytes of an archive that are needed next. */
type Wanted = { readonly position: number; readonly length: number }

/**
 * Finds the members of a tar archive. It reads nothing itself: it yields where it needs which bytes, so that whoever
 * runs it reads them as it likes.
 * Knows ustar with prefixes, pax (`path`, `linkpath`, `size`, `uid`, `gid`, also global), GNU long names and base-256
 * numbers:
 * https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13
 * https://www.gnu.org/software/tar/manual/html_node/Standard.html
 * @param limits with `unmarkedEnd`, an archive may end without an end mark, as Go's reader allows
 * @param take gets each member, its strings raw: see raw-path.ts
 * @throws UserError naming the source and the offset when the archive is cut short, corrupt or beyond a limit.
 */
export function* scanTar(
  source: { readonly name: string; readonly size: number },
  limits: TarLimits & { readonly unmarkedEnd?: boolean },
  take: (member: TarMember) => void,
): Generator<Wanted, void, Buffer> {
  const { members: maxMembers = 16_384, name: maxName = 4096, header: maxHeader = 1024 * 1024 } = limits
  const globals = new Map<string, string>()
  let next: Extension = {}
  let headers = 0
  let members = 0
  let position = 0
  let at = 0
  const beyond = (what: string) =>
    new LimitError(`Archive ${source.name}: ${what} at byte ${at}.`, {
      advice: 'Build the image without it: no registry or engine is sure to take it.',
    })
  const damaged = (what: string) =>
    new UserError(`Damaged archive ${source.name}: ${what} at byte ${at}.`, {
      advice: 'Build the image again. If that does not help, see whether the disk is full or failing.',
    })

  for (;;) {
    at = position
    if (limits.unmarkedEnd && at === source.size) return
    if (at + block > source.size) throw damaged('it ends without an end mark')
    const bytes = yield { position: at, length: block }
    position += block
    if (isZero(bytes)) {
      // One zero block at the very end is accepted, as other readers do.
      if (position + block <= source.size && !isZero(yield { position, length: block }))
        throw damaged('there are zeros where a header should be')
      return
    }
    // Extended headers count too, so that an archive of nothing else is bounded as well.
    if (++headers > 4 * maxMembers || members >= maxMembers) throw beyond(`more than ${maxMembers} members`)

    const header = parseHeader(bytes, damaged)
    const { flag } = header
    const extension = isExtension(flag)
    const pax = globals.size === 0 ? (next.pax ?? globals) : new Map([...globals, ...(next.pax ?? [])])
    const size = extension ? header.size : (paxNumber(pax, 'size', damaged) ?? header.size)
    const dataSize = hasData(flag) ? size : 0
    const padded = Math.ceil(dataSize / block) * block
    if (position + dataSize > source.size) throw damaged(`a member of ${dataSize} bytes is cut short`)

    if (extension) {
      if (size > maxHeader) throw beyond(`an extended header of ${size} bytes`)
      next = extend(next, globals, flag, yield { position, length: size }, damaged)
    } else {
      if (flag === 'S' || (pax.size > 0 && [...pax.keys()].some(key => key.startsWith('GNU.sparse.'))))
        throw beyond('a sparse member, which is not supported,')
      const name = pax.get('path') || next.longName || header.name
      const linkName = pax.get('linkpath') || next.longLink || header.linkName
      if (name.length > maxName || linkName.length > maxName)
        throw beyond(`a name of more than ${maxName} bytes`)
      const type = typeOf(flag, name)
      members++
      take({
        ...{ name, type, linkName, mode: header.mode, offset: position },
        uid: paxNumber(pax, 'uid', damaged) ?? header.uid,
        gid: paxNumber(pax, 'gid', damaged) ?? header.gid,
        size: type === 'file' ? size : 0,
      })
      next = {}
    }
    position += padded
  }
}

/** Links, devices, directories and pipes have none, whatever their header says. */
function hasData(flag: string): boolean {
  return !/^[1-6]$/.test(flag)
}

function typeOf(flag: string, name: string): TarMember['type'] {
  switch (flag) {
    case '0':
    case '\0':
    case '7':
      // Archives from before ustar mark directories by the slash alone.
      return name.endsWith('/') ? 'directory' : 'file'
    case '1':
      return 'hardlink'
    case '2':
      return 'symlink'
    case '5':
      return 'directory'
    default:
      return 'other'
  }
}

const zeros = Buffer.alloc(block)

function isZero(bytes: Buffer): boolean {
  return bytes[0] === 0 && bytes.equals(zeros)
}
