/**
 * Where nixpkgs may have a package. A guess: what is there counts only if it has the very store path.
 * @param name without version: `openssl`, `python3.12-requests`
 */
export function attributesOf(name) {
  const [, python, module] = /^python(3\.\d+)-(.+)$/.exec(name) ?? []
  if (python !== undefined && module !== undefined) {
    const set = `python${python.replace('.', '')}Packages`
    return [module, module.replace(/[._]/g, '-'), module.toLowerCase()].map(attribute => [set, attribute])
  }
  const [, perl] = /^perl5[\d.]*-(.+)$/.exec(name) ?? []
  if (perl !== undefined) return [['perlPackages', perl.replaceAll('-', '')]]
  const camel = name.replace(/-([A-Za-z])/g, (_, letter) => letter.toUpperCase())
  return [
    [name],
    [camel],
    // What wraps them has their name.
    ...(name === 'gcc' ? [['stdenv', 'cc', 'cc']] : []),
    [name.replaceAll('.', '_')],
  ]
}
