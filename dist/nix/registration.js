const storePath = /^\/nix\/store\/[0-9a-z]{32}-[0-9A-Za-z+\-._?=]+$/

/**
 * Reads a release's `.reginfo`: what `nix-store --dump-db` prints and `--load-db` reads. One line each for path,
 * hash, size, deriver, number of references and every reference.
 * @throws Error when it is anything else.
 */
export function parseRegistration(text) {
  const lines = text.split('\n')
  if (lines.at(-1) === '') lines.pop()
  const result = []
  for (let at = 0; at < lines.length; ) {
    const [path = '', narHash = '', narSize = '', deriver, number = ''] = lines.slice(at, at + 5)
    const valid =
      storePath.test(path) &&
      /^(sha256:)?[0-9a-z]{52,64}$/.test(narHash) &&
      /^\d+$/.test(narSize) &&
      deriver !== undefined &&
      /^\d+$/.test(number)
    const references = lines.slice(at + 5, at + 5 + Number(number))
    if (!valid || references.length !== Number(number) || !references.every(path => storePath.test(path))) {
      throw new Error(`.reginfo: no registration at line ${at + 1}`)
    }
    result.push({ path, narHash, narSize, deriver, references })
    at += 5 + references.length
  }
  return result
}

export function renderRegistration(registrations) {
  return registrations
    .flatMap(({ path, narHash, narSize, deriver, references }) => [
      ...[path, narHash, narSize, deriver, String(references.length)],
      ...references,
    ])
    .map(line => `${line}\n`)
    .join('')
}

/**
 * The given paths and all that they refer to, in the order of `registrations`.
 * @throws Error when one of them is not registered.
 */
export function closureOf(registrations, roots) {
  const byPath = new Map(registrations.map(registration => [registration.path, registration]))
  const reached = new Set()
  const open = [...roots]
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const found = byPath.get(path)
    if (found === undefined) throw new Error(`.reginfo: ${path} is not registered`)
    if (reached.has(path)) continue
    reached.add(path)
    open.push(...found.references)
  }
  return registrations.filter(({ path }) => reached.has(path))
}
