import { UserError } from '../util/errors.js'

const asExpected = 'Write a flake output, such as .#image, ./sub#image or github:owner/repo#image.'

/**
 * Parses an installable by the rules of `nix build`. Of its forms only flake outputs are taken: store paths and Nix
 * expressions are refused by name.
 * https://nix.dev/manual/nix/latest/command-ref/new-cli/nix#installables
 * @throws UserError
 */
export function parseInstallable(text) {
  const { every, ...installable } = parse(text)
  if (every.length === 0) return Object.freeze(installable)
  throw new UserError(`'${text}' is a pattern: it stands for several outputs.`, {
    advice: 'Only `warm` takes patterns. An attribute with the name * is written "*".',
  })
}

/**
 * Parses an installable, or a pattern such as `.#checks.x86_64-linux.*`: a `*` without quotes as the whole name of an
 * attribute.
 * @throws UserError
 */
export function parsePattern(text) {
  const { every, ...installable } = parse(text)
  return Object.freeze(every.length === 0 ? installable : { ...installable, every })
}

export function isPattern(installable) {
  return 'every' in installable
}

function parse(text) {
  const refuse = what => new UserError(`'${text}' ${what}.`, { advice: asExpected })

  if (text.trim() === '') throw refuse('is empty')
  if (text.startsWith('-')) throw refuse('is an option, not a flake output')
  if (text.startsWith('/nix/store/')) throw refuse('is a store path, not a flake output')

  const [rest, outputs] = splitOutputs(text)
  const hash = rest.indexOf('#')
  const flake = hash === -1 ? rest : rest.slice(0, hash)
  if (/[\s(){};"<>\0]/.test(flake))
    throw refuse('is a Nix expression or has spaces in it, not a flake output')
  const every = []
  return {
    text,
    flake,
    attributes: hash === -1 ? [] : parseAttributePath(decode(rest.slice(hash + 1))),
    outputs,
    directory: directoryOf(flake, decode),
    every,
  }

  function splitOutputs(all) {
    const at = all.lastIndexOf('^')
    if (at === -1) return [all, undefined]
    const names = all.slice(at + 1)
    if (names === '*') return [all.slice(0, at), 'all']
    if (!/^[\w+.?=-]+(,[\w+.?=-]+)*$/.test(names)) throw refuse(`has no output names after '^'`)
    return [all.slice(0, at), names.split(',')]
  }

  function parseAttributePath(path) {
    const names = []
    let [name, written] = ['', '']
    const end = () => {
      if (written === '*') every.push(names.length)
      names.push(name)
      name = written = ''
    }
    for (const [part, quoted] of path.matchAll(/"([^"]*)"|[^".]+|[."]/g)) {
      if (part === '"') throw refuse('has an open quote')
      if (part === '.') end()
      else {
        name += quoted ?? part
        written += part
      }
    }
    if (name !== '') end()
    return names
  }

  function decode(part) {
    try {
      return decodeURIComponent(part)
    } catch {
      throw refuse(`has a '%' that two hex digits do not follow`)
    }
  }
}

/** Nix takes a word, or words joined by slashes, for a name in the flake registry: `nixpkgs/nixos-25.05`. */
const registryName = /^[a-zA-Z][\w-]*(\/[\w@][\w./@+-]*)?$/

function directoryOf(flake, decode) {
  const [base = '', query = ''] = flake.split('?', 2)
  const path = /^[a-z][a-z0-9+.-]*:/.test(base)
    ? localPath(base, decode)
    : registryName.test(base)
      ? undefined
      : base
  if (path === undefined) return undefined
  const dir = new URLSearchParams(query).get('dir')
  return [path || '.', ...(dir ? [dir] : [])].join('/')
}

function localPath(url, decode) {
  const path = /^(?:path:|git\+file:)(?:\/\/(?=\/))?(.*)$/.exec(url)?.[1]
  return path === undefined ? undefined : decode(path)
}
