/** Passes differences on. @returns whether there were any */
export async function* any(differences) {
  let some = false
  for await (const difference of differences) {
    some = true
    yield difference
  }
  return some
}
