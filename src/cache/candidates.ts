import type { PathInfo } from '../nix/model.ts'
import { isSignedBy } from '../nix/signatures.ts'
import { closeReferences } from './closure.ts'
import { bounds } from './index-file.ts'
import { type CacheIndex, hashOf } from './model.ts'

export type CandidatesInput = {
  /** Every valid path of the store. */
  readonly valid: ReadonlyMap<string, PathInfo>
  readonly index: CacheIndex
  /** Seconds since the epoch: what was registered before the job began is none of its making. */
  readonly started: number
  /** From `jobPaths`, where the store is not the job's alone: no other path is looked at then. */
  readonly ofJob?: ReadonlySet<string> | undefined
  /** Store paths of Nix itself. They are there in every job, and are added only if something that is kept needs them. */
  readonly closure: readonly string[]
  /**
   * Store paths that shall not be kept: outputs (the image archive) never, with all that refers to them; sources (the
   * flake's own) only if something that is kept refers to them.
   */
  readonly exclude: readonly string[]
  /** Names of keys by which public binary caches sign: `cache.nixos.org-1`. */
  readonly upstreamKeys: ReadonlySet<string>
  /** Whether what they signed is kept as well. */
  readonly upstream: boolean
}

export type Candidates = {
  /** References before what refers to them. None that refers to more than an index can say. */
  readonly paths: readonly PathInfo[]
  /** Names of paths that the candidates refer to, that are not kept, and that a public binary cache has. */
  readonly elsewhere: ReadonlySet<string>
}

/** What the cache could gain from this job. Closed: see `Candidates`. Pure. */
export function findCandidates(input: CandidatesInput): Candidates {
  const { valid, index, started, ofJob, upstreamKeys, upstream } = input
  const excluded = new Set(input.exclude)
  const ofNix = new Set(input.closure)
  const known = (path: string) => index.paths.has(hashOf(path))
  // That cache has it then, and all that it refers to.
  const fromUpstream = (path: string) => isSignedBy(valid.get(path), upstreamKeys)
  const unwanted = ({ path, ca }: PathInfo) =>
    // Derivations and the texts that they name come out of evaluation, which is quicker than any cache.
    ofNix.has(path) || excluded.has(path) || path.endsWith('.drv') || ca?.startsWith('text:') === true
  const never = (info: PathInfo) =>
    info.path.endsWith('.drv') ||
    (excluded.has(info.path) && info.ca === undefined) ||
    info.references.length > bounds.references

  const ofThisJob = ({ path, registrationTime }: PathInfo) => ofJob?.has(path) ?? registrationTime >= started
  const wanted = valid
    .values()
    .filter(info => ofThisJob(info) && !unwanted(info) && !known(info.path))
    .filter(info => upstream || !fromUpstream(info.path))
  const taken = new Map<string, PathInfo>()
  const elsewhere = new Set<string>()
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
function referencesFirst(infos: ReadonlyMap<string, PathInfo>, kept: ReadonlySet<string>): PathInfo[] {
  const sorted: PathInfo[] = []
  const seen = new Set<string>()
  const referred = new Set(
    infos.values().flatMap(({ path, references }) => references.filter(reference => reference !== path)),
  )
  // What belongs together lies together: each program is followed by what only it needs.
  const [programs, libraries] = [[...kept].filter(path => !referred.has(path)), [...kept]]
  for (const root of [...programs.sort(), ...libraries.sort()]) {
    const stack: { readonly path: string; readonly done: boolean }[] = [{ path: root, done: false }]
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

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
