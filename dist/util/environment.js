/** What other programs are given of the step's environment: not the action's inputs, which may be secrets. */
export function withoutInputs(env) {
  const entries = Object.entries(env).filter(([name]) => !/^(INPUT|STATE)_/.test(name))
  return Object.fromEntries(entries.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
}
