import type { Entry } from './model.ts'

/** Where what a layer brings is to be had. Where in there something is, only the origin knows: an offset, a path. */
export type Origin = {
  /** The layer, counted from the lowest. */
  readonly layer: number
  /** What is there. */
  entry(at: string | number): Entry
  /** What is in the directory there. */
  children(at: string | number): Iterable<readonly [name: string, child: Node]>
  /** Bytes of the file there: `length`, or fewer at its end. */
  read(at: string | number, offset: number, length: number): Buffer
}

/** A file, directory, symlink or whatever. What nobody asked for yet is left where it comes from. */
export class Node {
  readonly #origin: Origin
  readonly #at: string | number
  /** The last layer that has this, or something below it. */
  layer: number
  #type: Entry['type'] | undefined
  #entry: Entry | undefined
  #children: Map<string, Node> | undefined

  /** @param known what need not be asked for any more */
  constructor(
    origin: Origin,
    at: string | number,
    known: { readonly type?: Entry['type']; readonly entry?: Entry } = {},
  ) {
    this.#origin = origin
    this.#at = at
    this.layer = origin.layer
    this.#entry = known.entry
    this.#type = known.type ?? known.entry?.type
  }

  get type(): Entry['type'] {
    this.#type ??= this.entry.type
    return this.#type
  }

  get entry(): Entry {
    this.#entry ??= this.#origin.entry(this.#at)
    return this.#entry
  }

  /** What is in a directory, by name. */
  get children(): Map<string, Node> {
    this.#children ??= new Map(this.#origin.children(this.#at))
    return this.#children
  }

  read(offset: number, length: number): Buffer {
    return this.#origin.read(this.#at, offset, length)
  }

  /** The same file again, as a layer has it under another name. */
  linked(layer: number): Node {
    const node = new Node(this.#origin, this.#at, { entry: this.entry })
    node.layer = layer
    return node
  }

  /** Has, from now on, what another directory has. */
  takeChildren(other: Node): void {
    this.#children = other.children
  }
}

/** A directory that is there because something is in it. */
export function impliedDirectory(layer: number, { uid, gid } = { uid: 0, gid: 0 }): Node {
  const entry = { type: 'directory', mode: 0o755, uid, gid, size: 0, target: '', layer } as const
  return new Node(nowhere(layer), 0, { entry })
}

function nowhere(layer: number): Origin {
  const nothing = () => {
    throw new Error('a directory was read as a file')
  }
  return { layer, entry: nothing, children: () => [], read: nothing }
}
