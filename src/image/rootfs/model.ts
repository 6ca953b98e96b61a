/** What is at one place of an image. */
export type Entry = {
  readonly type: 'file' | 'directory' | 'symlink' | 'other'
  /** Permissions, with setuid, setgid and sticky bit. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Bytes of a file; else 0. */
  readonly size: number
  /** What a symlink says; else empty. */
  readonly target: string
  /** Which of the image's layers it is from, counted from the lowest, 0. */
  readonly layer: number
}

/** An entry, and the path without symlinks that it is at. */
export type Found = { readonly path: string; readonly entry: Entry }

/**
 * An image's files as a container sees them: all layers merged, what upper ones delete is gone, links stay within.
 * Paths are absolute. A byte of a name that is not part of any UTF-8 is one of U+DC80 to U+DCFF (PEP 383), so that
 * every name is another string. Sync: it reads headers and small files of what is on this machine's disk; that may
 * fail with a UserError.
 */
export type RootFs = {
  /** What a path leads to, all links followed; undefined where nothing is, and where links go in a circle. */
  find(path: string): Found | undefined
  /** As `find`, but a link at the end of the path is not followed. */
  look(path: string): Found | undefined
  /** Names in the directory that a path leads to, sorted; none where there is no directory. */
  list(path: string): readonly string[]
  /**
   * Bytes of the file that `found` is.
   * @param length at most that many: fewer at its end. @default all
   */
  read(found: Found, offset?: number, length?: number): Buffer
  /** Every path that is there and whose last name passes, symlinks not followed, in no order. */
  named(passes: (name: string) => boolean): Iterable<Found>
  close(): Promise<void>
}
