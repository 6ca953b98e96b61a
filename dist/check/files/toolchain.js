/** Store paths that only builds need, by their names; libraries of the same packages have outputs of their own. */
const toolchain =
  /^(?:gcc|clang|rustc|cargo|go|ghc|binutils|cmake|bootstrap-tools|stdenv-linux)(?:-wrapper|-unwrapped)?(?:-\d[\w.+]*)?$|^stdenv-linux$|^llvm-\d[\w.]*(?:-dev)?$|-\d[\w.+]*-dev$/
/** Where one of these can be called by its name, the image is made to build with. */
const callable = ['cc', 'gcc', 'clang', 'rustc', 'cargo', 'go', 'ghc', 'cmake', 'ld', 'make']
const shown = 3

/** Compilers and headers that came along, with the way by which they did: mostly one string that nobody needs. */
export const toolchainRule = {
  *inspect(subject) {
    const { fs, config, references } = subject
    const path = (config.env.get('PATH') ?? '').split(':')
    const folders = [...path, '/bin', '/usr/bin', '/usr/local/bin'].filter(folder => folder.startsWith('/'))
    if (folders.some(folder => callable.some(name => fs.find(`${folder}/${name}`) !== undefined))) return
    const tools = fs
      .list('/nix/store')
      .filter(name => toolchain.test(nameOf(name)))
      .map(name => `/nix/store/${name}`)
    if (tools.length === 0 || isWanted(subject, tools)) return
    const chains = [...chainsTo(tools, references).values()]
    const ways = chains.slice(0, shown).map(chain => chain.map(nameOf).join(' → '))
    const more = chains.length > shown ? `, and ${chains.length - shown} more ways` : ''
    const first = chains[0]?.at(-1) ?? tools[0] ?? ''
    const holder = chains[0]?.at(-2)
    const them = tools.slice(0, shown).map(nameOf).join(', ')
    yield {
      rule: 'toolchain',
      severity: 'hint',
      place: first,
      why: `${tools.length === 1 ? `${them} is` : `${them}${tools.length > shown ? ` and ${tools.length - shown} more` : ''} are`} in the image, which builds alone need: larger pulls, and more for scanners to report.${ways.length === 0 ? '' : ` Why: ${ways.join('; ')}${more}.`}`,
      fix:
        holder === undefined
          ? `Find who refers to it with \`nix why-depends\`, and cut that with \`removeReferencesTo\`.`
          : `In ${nameOf(holder)}: \`nativeBuildInputs = [ pkgs.removeReferencesTo ]; postFixup = "find $out -type f -exec remove-references-to -t \${…} {} +"\` for ${nameOf(first)}, or an output of its own for what does not run.`,
    }
  },
}

/** `gcc-13.2.0` of `/nix/store/<hash>-gcc-13.2.0`. */
function nameOf(storePath) {
  return storePath.slice(storePath.lastIndexOf('/') + 1).replace(/^[0-9a-z]{32}-/, '')
}

/** Whether what the container starts is a tool itself. */
function isWanted({ config }, tools) {
  const words = [...config.entrypoint, ...config.cmd, ...config.env.values()]
  return tools.some(tool => words.some(word => word.includes(`${tool}/bin`)))
}

/**
 * For each of `tools` that something else than one of them refers to: the shortest way there from a path that nobody
 * refers to.
 */
function chainsTo(tools, references) {
  const referred = new Set([...references.values()].flat())
  const before = new Map()
  const queue = [...references.keys()].filter(path => !referred.has(path)).sort()
  for (const root of queue) before.set(root, undefined)
  for (const path of queue) {
    // What a tool refers to is there because of the tool.
    if (tools.includes(path)) continue
    for (const next of references.get(path) ?? []) {
      if (before.has(next)) continue
      before.set(next, path)
      queue.push(next)
    }
  }
  const chains = new Map()
  for (const tool of tools) {
    if (!before.has(tool)) continue
    const chain = []
    for (let at = tool; at !== undefined; at = before.get(at)) chain.unshift(at)
    chains.set(tool, chain)
  }
  return chains
}
