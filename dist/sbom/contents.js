/**
 * Lists an image's files by what they belong to: a store path, or nothing but their layer.
 * @param store the store's directory
 */
export function contentsOf(fs, store) {
  const storePaths = fs.list(store).flatMap(name => {
    const found = fs.look(`${store}/${name}`)
    return found === undefined ? [] : [{ path: `${store}/${name}`, layer: found.entry.layer }]
  })
  const outside = new Set()
  const pending = ['']
  for (let at = pending.pop(); at !== undefined; at = pending.pop())
    for (const name of fs.list(at || '/')) {
      const path = `${at}/${name}`
      const entry = path === store ? undefined : fs.look(path)?.entry
      if (entry?.type === 'directory') pending.push(path)
      else if (entry !== undefined) outside.add(entry.layer)
    }
  return { storePaths, outside: [...outside].sort((a, b) => a - b) }
}
