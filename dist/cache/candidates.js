import { isSignedBy } from '../nix/signatures.js'
import { closeReferences } from './closure.js'
import { bounds } from './index-file.js'
import { hashOf } from './model.js'

/** What the cache could gain from this job. Closed: see `Candidates`. Pure. */
export function findCandidates(input) {
  const { valid, index, started, ofJob, upstreamKeys, upstream } = input
  const excluded = new Set(input.exclude)
  const ofNix = new Set(input.closure)
  const known = path => index.paths.has(hashOf(path))
  // That cache has it then, and all that it refers to.
  const fromUpstream = path => isSignedBy(valid.get(path), upstreamKeys)
  const unwanted = ({ path, ca }) =>
    // Derivations and the texts that they name come out of evaluation, which is quicker than any cache.
    ofNix.has(path) || excluded.has(path) || path.endsWith('.drv') || ca?.startsWith('text:') === true
  const never = info =>
    info.path.endsWith('.drv') ||
    (excluded.has(info.path) && info.ca === undefined) ||
    info.references.length > bounds.references

  const ofThisJob = ({ path, registrationTime }) => ofJob?.has(path) ?? registrationTime >= started
  const wanted = valid
    .values()
    .filter(info => ofThisJob(info) && !unwanted(info) && !known(info.path))
    .filter(info => upstream || !fromUpstream(info.path))
  const taken = new Map()
  const elsewhere = new Set()
  const queue = [...wanted]
  for (let info = queue.pop(); info !== undefined; info = queue.pop()) {
    if (taken.has(info.path) || never(info)) continue
    taken.set(info.path, info)
    for (const reference of info.references) {
      if (known(reference)) continue
      if (!upstream && fromUpstream(reference)) elsewhere.add(nameOf(reference))
      else {
        const needed = valid.get(reference)
        if (needed !== undefined) queue.push(needed)
      }
    }
  }
  const kept = closeReferences(
    new Map(taken.entries().map(([path, { references }]) => [path, references])),
    path => known(path) || elsewhere.has(nameOf(path)),
  )
  return { paths: referencesFirst(taken, kept), elsewhere }
}

/** Sorted by path as far as the references leave a choice, so that the same paths give the same packs. */
function referencesFirst(infos, kept) {
  const sorted = []
  const seen = new Set()
  const referred = new Set(
    infos.values().flatMap(({ path, references }) => references.filter(reference => reference !== path)),
  )
  // What belongs together lies together: each program is followed by what only it needs.
  const [programs, libraries] = [[...kept].filter(path => !referred.has(path)), [...kept]]
  for (const root of [...programs.sort(), ...libraries.sort()]) {
    const stack = [{ path: root, done: false }]
    for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
      const info = infos.get(at.path)
      if (info === undefined || !kept.has(at.path)) continue
      if (at.done) sorted.push(info)
      else if (!seen.has(at.path)) {
        seen.add(at.path)
        stack.push({ path: at.path, done: true })
        for (const reference of info.references.toSorted().reverse())
          stack.push({ path: reference, done: false })
      }
    }
  }
  return sorted
}

function nameOf(path) {
  return path.slice(path.lastIndexOf('/') + 1)
}
