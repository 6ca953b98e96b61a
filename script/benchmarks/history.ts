import { createHash } from 'node:crypto'
import { nixBase32 } from '../../src/util/base32.ts'

/** An output of a derivation, as it would be in a store. */
export type Output = {
  /** `<32 characters>-<name>` */
  readonly name: string
  /** Bytes, compressed. */
  readonly size: number
  readonly derivation: Derivation
  /** What it refers to at run time. */
  readonly references: readonly Output[]
}

export type Derivation = {
  readonly name: string
  /** Seconds to build it, or to download it where it is a source. */
  readonly seconds: number
  readonly isSource: boolean
  /** Whether a public binary cache has it: `seconds` are then those that it takes from there longer than from ours. */
  readonly isUpstream?: boolean
  readonly inputs: readonly Output[]
  readonly outputs: readonly Output[]
}

/** A run of the workflow: when it is, in seconds since the epoch, and what it wants to have. */
export type Run = { readonly at: number; readonly branch: string; readonly wanted: readonly Output[] }

/** What a package of the repository is in all versions. */
type Package = {
  readonly name: string
  readonly kind: 'library' | 'tool' | 'program' | 'check' | 'bundle'
  /** Of the first version; others differ by a third. */
  readonly seconds: number
  readonly size: number
  readonly hasDev: boolean
  /** Numbers of packages that come before it. */
  readonly inputs: readonly number[]
}

/** Versions of packages, and which of them the branch has at all. */
type State = { readonly versions: readonly number[] }

export type HistoryOptions = {
  readonly seed: number
  readonly commits: number
  readonly libraries: number
}

/**
 * A repository that builds programs upon libraries that no public cache has: patched, of a language whose packages are
 * built one by one, or of an overlay. Build times and sizes spread as widely as those of nixpkgs do, the logarithm of
 * each about normally and the two hardly related: a check is slow and its output nothing, a bundle of files is quick
 * and large. Most commits change a program; some change a library and so all that is built with it; branches come,
 * are worked upon beside the main one, and are merged or left. Work has days, nights and weekends.
 */
export function makeHistory({ seed, commits, libraries }: HistoryOptions): Run[] {
  const random = randomFrom(seed)
  const packages = makePackages(random, libraries)
  const first: State = { versions: packages.map(() => 0) }
  const build = builder(packages, seed)
  const branches = new Map<string, State>([['main', first]])
  const left = new Map<string, number>()
  const runs: Run[] = []
  let [at, branchNumber, newest] = [Date.UTC(2026, 0, 5, 9) / 1000, 0, 0]
  let reverted: State | undefined
  const changed = (state: State, number: number): State => {
    newest++
    return { versions: state.versions.map((version, other) => (other === number ? newest : version)) }
  }
  const some = (kinds: readonly Package['kind'][]): number => {
    const numbers = packages.flatMap(({ kind }, number) => (kinds.includes(kind) ? [number] : []))
    return numbers[Math.floor(random() * numbers.length)] ?? 0
  }
  while (runs.length < commits) {
    at = nextWorkingTime(at + Math.ceil(-Math.log(1 - random()) * 2.5 * 3600))
    const others = [...branches.keys()].filter(name => name !== 'main')
    let branch =
      others.length > 0 && random() < 0.45 ? (others[Math.floor(random() * others.length)] ?? 'main') : 'main'
    if (branch === 'main' && others.length < 3 && random() < 0.2) {
      branch = `branch-${++branchNumber}`
      branches.set(branch, branches.get('main') ?? first)
      left.set(branch, 2 + Math.floor(random() * 6))
    }
    const state = branches.get(branch) ?? first
    const dice = random()
    let next =
      dice < 0.7
        ? changed(state, some(['program', 'program', 'bundle', 'check']))
        : dice < 0.93
          ? changed(state, some(['library', 'tool']))
          : dice < 0.96
            ? changed(state, Math.floor(random() * 4))
            : (reverted ?? changed(state, some(['program'])))
    reverted = state
    const remaining = (left.get(branch) ?? 0) - 1
    if (branch !== 'main' && remaining < 0) {
      // Merged, or left for good.
      branches.delete(branch)
      if (random() < 0.3) continue
      const main = branches.get('main') ?? first
      next = {
        versions: main.versions.map((version, number) => Math.max(version, state.versions[number] ?? 0)),
      }
      branch = 'main'
    } else left.set(branch, remaining)
    branches.set(branch, next)
    runs.push({ at, branch, wanted: build(next.versions) })
  }
  return runs
}

function makePackages(random: () => number, libraries: number): Package[] {
  const lognormal = (median: number, sigma: number) => {
    const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
    return median * Math.exp(sigma * normal)
  }
  const packages: Package[] = []
  const few = (most: number, from: readonly number[]) => {
    const count = Math.min(from.length, 1 + Math.floor(random() * most))
    // Near ones more often: what is built late is built upon what was built shortly before.
    const near = () => from[Math.floor(from.length * Math.sqrt(random()))] ?? 0
    return [...new Set(Array.from({ length: count }, near))]
  }
  const ofKind = (kind: Package['kind']) =>
    packages.flatMap((one, number) => (one.kind === kind ? [number] : []))
  for (let at = 0; at < libraries; at++) {
    const kind = at % 6 === 3 ? 'tool' : 'library'
    packages.push({
      ...{ name: `${kind}${at}`, kind, hasDev: kind === 'library' && random() < 0.4 },
      ...{ seconds: Math.min(3600, lognormal(25, 1.4)), size: lognormal(1_200_000, 1.6) },
      inputs: [...few(3, ofKind('library')), ...(random() < 0.4 ? few(2, ofKind('tool')) : [])].slice(0, at),
    })
  }
  for (let at = 0; at < 8; at++) {
    const inputs = [...few(10, ofKind('library')), ...few(2, ofKind('tool'))]
    packages.push({
      ...{ name: `program${at}`, kind: 'program', hasDev: false, inputs },
      ...{ seconds: lognormal(60, 0.9), size: lognormal(4_000_000, 1) },
    })
    const program = packages.length - 1
    packages.push({
      ...{ name: `check${at}`, kind: 'check', hasDev: false, inputs: [program, ...few(2, ofKind('tool'))] },
      ...{ seconds: lognormal(90, 0.9), size: 300 },
    })
    packages.push({
      ...{ name: `bundle${at}`, kind: 'bundle', hasDev: false, inputs: [program] },
      ...{ seconds: lognormal(2, 0.5), size: lognormal(12_000_000, 0.8) },
    })
  }
  return packages
}

/** What versions give: the same ones the same outputs, each made once. */
function builder(packages: readonly Package[], seed: number): (versions: readonly number[]) => Output[] {
  const made = new Map<string, Derivation>()
  const derive = (
    key: string,
    make: () => Omit<Derivation, 'outputs'>,
    outputs: (self: Derivation, id: string) => Output[],
  ) => {
    const known = made.get(key)
    if (known !== undefined) return known
    const list: Output[] = []
    const derivation = { ...make(), outputs: list }
    list.push(...outputs(derivation, key))
    made.set(key, derivation)
    return derivation
  }
  const outputName = (key: string, name: string) => {
    return `${nixBase32(createHash('sha256').update(`${seed} ${key} ${name}`).digest()).slice(0, 32)}-${name}`
  }
  return versions => {
    const derivations: Derivation[] = []
    for (const [number, one] of packages.entries()) {
      const version = versions[number] ?? 0
      // Between two versions sizes and times differ by as much as a third.
      const spread = 1 + (((number * 7919 + version * 104_729) % 1000) / 1000 - 0.5) / 1.5
      const sourceSize = one.kind === 'bundle' ? 20_000 : 50_000 + one.size * 0.3
      const source = derive(
        `source ${number} ${version}`,
        () => ({ name: `${one.name}-source`, seconds: 1 + sourceSize / 10e6, isSource: true, inputs: [] }),
        (derivation, key) => [
          { name: outputName(key, `${one.name}-source`), size: sourceSize, derivation, references: [] },
        ],
      )
      const built = one.inputs.flatMap(input => derivations[input]?.outputs ?? [])
      const inputs = [...source.outputs, ...built]
      derivations.push(
        derive(
          `${one.name} ${inputs.map(({ name }) => name.slice(0, 32)).join(' ')}`,
          () => ({ name: one.name, seconds: one.seconds * spread, isSource: false, inputs }),
          (derivation, key) => {
            const isLinked = ({ derivation: { name } }: Output) =>
              !/^(tool|check|program)/.test(name) || one.kind === 'bundle'
            const linked = built.filter(output => isLinked(output) && !/-dev$/.test(output.name))
            const references = one.kind === 'check' ? [] : linked
            const out: Output = {
              name: outputName(key, one.name),
              size: one.size * spread,
              derivation,
              references,
            }
            if (!one.hasDev) return [out]
            const dev = `${one.name}-dev`
            return [
              out,
              { name: outputName(key, dev), size: 40_000 + one.size * 0.1, derivation, references: [out] },
            ]
          },
        ),
      )
    }
    const wanted = packages.flatMap(({ kind }, number) => (/program|check|bundle/.test(kind) ? [number] : []))
    return wanted.flatMap(number => derivations[number]?.outputs ?? [])
  }
}

/** From nine to seven, Monday to Friday. */
function nextWorkingTime(at: number): number {
  let time = at
  for (;;) {
    const date = new Date(time * 1000)
    const works = date.getUTCHours() >= 9 && date.getUTCHours() < 19 && date.getUTCDay() % 6 !== 0
    if (works) return time
    time = date.setUTCHours(date.getUTCHours() + 1, 0, 0, 0) / 1000 + (at % 600)
  }
}

/** Numbers from 0 to 1, the same ones for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
