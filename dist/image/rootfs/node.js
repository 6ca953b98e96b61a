/** A file, directory, symlink or whatever. What nobody asked for yet is left where it comes from. */
export class Node {
  #origin
  #at
  /** The last layer that has this, or something below it. */
  layer
  #type
  #entry
  #children

  /** @param known what need not be asked for any more */
  constructor(origin, at, known = {}) {
    this.#origin = origin
    this.#at = at
    this.layer = origin.layer
    this.#entry = known.entry
    this.#type = known.type ?? known.entry?.type
  }

  get type() {
    this.#type ??= this.entry.type
    return this.#type
  }

  get entry() {
    this.#entry ??= this.#origin.entry(this.#at)
    return this.#entry
  }

  /** What is in a directory, by name. */
  get children() {
    this.#children ??= new Map(this.#origin.children(this.#at))
    return this.#children
  }

  read(offset, length) {
    return this.#origin.read(this.#at, offset, length)
  }

  /** The same file again, as a layer has it under another name. */
  linked(layer) {
    const node = new Node(this.#origin, this.#at, { entry: this.entry })
    node.layer = layer
    return node
  }

  /** Has, from now on, what another directory has. */
  takeChildren(other) {
    this.#children = other.children
  }
}

/** A directory that is there because something is in it. */
export function impliedDirectory(layer, { uid, gid } = { uid: 0, gid: 0 }) {
  const entry = { type: 'directory', mode: 0o755, uid, gid, size: 0, target: '', layer }
  return new Node(nowhere(layer), 0, { entry })
}

function nowhere(layer) {
  const nothing = () => {
    throw new Error('a directory was read as a file')
  }
  return { layer, entry: nothing, children: () => [], read: nothing }
}
