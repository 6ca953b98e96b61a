import { LimitError } from '../../util/errors.js'
import { count } from '../../util/text.js'
import { impliedDirectory } from './node.js'

/** As many symlinks as Linux follows: https://man7.org/linux/man-pages/man7/path_resolution.7.html */
const mostLinks = 40

/**
 * The layers of an image, put one over the other from the lowest to the uppermost:
 * https://github.com/opencontainers/image-spec/blob/v1.1.1/layer.md
 * Where a layer has something below a symlink, it goes where the link leads, as containerd has it.
 */
export class Tree {
  #most
  #count = 0
  #root = impliedDirectory(0)
  /** Where the last file was put: the next one is often beside it. Forgotten when anything in the tree is replaced. */
  #last

  /** @param most files that layers may put into it, directories included */
  constructor(most) {
    this.#most = most
  }

  /** What a path leads to, as in a chroot: undefined where nothing is, and where links go in a circle. */
  find(path, followLast) {
    const way = this.#walk(path, followLast, false)
    return way && { path: `/${way.map(({ name }) => name).join('/')}`, node: way.at(-1)?.node ?? this.#root }
  }

  /** Every node, the root left out. `directory` is the path of what it is in, with a slash at its end. */
  *all() {
    const pending = [{ directory: '/', node: this.#root }]
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      const { directory } = at
      for (const [name, node] of at.node.children) {
        yield { directory, name, node }
        if (node.type === 'directory') pending.push({ directory: `${directory}${name}/`, node })
      }
    }
  }

  /**
   * Puts a node where its layer has it. A directory over another one holds what both hold; anything else takes the
   * place of what was there. Directories on the way that nobody has are made.
   * @param path without `.` and `..`
   */
  put(path, node) {
    const { directory, name } = split(path)
    if (name === '') {
      this.#last = undefined
      if (node.type === 'directory') this.#root = merged(this.#root, node)
      return
    }
    const siblings = this.#make(directory, node.layer)?.children
    const before = siblings?.get(name)
    if (before !== undefined) this.#last = undefined
    siblings?.set(name, before === undefined ? node : merged(before, node))
    this.#added()
  }

  /** Takes away what lower layers have at a path. What this layer itself has there stays, said before or after. */
  hide(path, layer) {
    const { directory, name } = split(path)
    const siblings = this.#make(directory, layer)?.children
    const node = siblings?.get(name)
    if (siblings === undefined || node === undefined) return
    this.#last = undefined
    if (node.layer < layer) siblings.delete(name)
    else if (node.type === 'directory') {
      hideBelow(node, layer)
      // The layer has something in it, but has not said what the directory is.
      if (node.entry.layer < layer) siblings.set(name, merged(node, impliedDirectory(layer)))
    }
  }

  /** Takes away what lower layers have in a directory. */
  hideIn(path, layer) {
    const directory = this.#make(path, layer)
    this.#last = undefined
    if (directory !== undefined) hideBelow(directory, layer)
  }

  /** Takes away what is in the root under a name that passes. */
  removeFromRoot(passes) {
    for (const name of [...this.#root.children.keys()].filter(passes)) this.#root.children.delete(name)
  }

  /**
   * The directory at a path, for a layer that has something in it: made where it is missing, and in the place of what
   * is no directory. Undefined where links go in a circle.
   */
  #make(path, layer) {
    const last = this.#last
    if (last?.path === path && last.node.layer === layer) return last.node
    const way = this.#walk(path, true, true)
    if (way === undefined) return undefined
    let directory = this.#root
    for (const { name, node } of way) {
      const next = node ?? impliedDirectory(layer)
      if (node === undefined) {
        directory.children.set(name, next)
        this.#added()
      }
      next.layer = layer
      directory = next
    }
    this.#last = { path, node: directory }
    return directory
  }

  /** @param missing whether to go on where no directory is, as if there were an empty one: those are undefined then */
  #walk(path, followLast, missing) {
    const way = []
    const pending = path.split('/').reverse()
    let links = 0
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      const here = way.length === 0 ? this.#root : way.at(-1)?.node
      if (!missing && here?.type !== 'directory') return undefined
      if (name === '' || name === '.') continue
      if (name === '..') {
        way.pop()
        continue
      }
      const node = here?.children.get(name)
      if (node?.type === 'symlink' && (followLast || pending.length > 0)) {
        const { target } = node.entry
        if (target === '' || ++links > mostLinks) return undefined
        if (target.startsWith('/')) way.length = 0
        pending.push(...target.split('/').reverse())
      } else if (node !== undefined || missing)
        way.push({ name, node: missing && node?.type !== 'directory' ? undefined : node })
      else return undefined
    }
    return way
  }

  #added() {
    if (++this.#count <= this.#most) return
    throw new LimitError(`The image has more than ${count(this.#most, 'file')}: too many to inspect.`, {
      advice: 'See what puts them there.',
    })
  }
}

function split(path) {
  const end = path.endsWith('/') ? path.replace(/\/+$/, '') : path
  const slash = end.lastIndexOf('/')
  return { directory: end.slice(0, slash + 1), name: end.slice(slash + 1) }
}

/** What is there when a layer has `upper` where `lower` was. */
function merged(lower, upper) {
  // Trees can be deeper than the stack.
  const pending = [[lower, upper]]
  for (let pair = pending.pop(); pair !== undefined; pair = pending.pop()) {
    const [below, above] = pair
    if (below.type !== 'directory' || above.type !== 'directory') continue
    if (above.children.size === 0) above.takeChildren(below)
    else
      for (const [name, node] of below.children) {
        const over = above.children.get(name)
        if (over === undefined) above.children.set(name, node)
        else pending.push([node, over])
      }
  }
  return upper
}

/** The last layer that took away what lower ones have in a directory: a layer may say so a million times. */
const hiddenBy = new WeakMap()

function hideBelow(directory, layer) {
  const pending = [directory]
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    // What came since is the layer's own.
    if (hiddenBy.get(at.children) === layer) continue
    hiddenBy.set(at.children, layer)
    for (const [name, node] of at.children) {
      if (node.layer < layer) at.children.delete(name)
      else if (node.type === 'directory') pending.push(node)
    }
  }
}
