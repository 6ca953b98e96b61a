import { type CacheResult, type Figure, median, type Scenario, type StoreResult, tools } from './results.ts'
import type { Sample } from './sample.ts'

const titles = { ours: 'nix-image-action', tar: 'archive', copy: '`nix copy`' }

/** The results for people, as markdown. Pure. */
export function render({ machine, rounds, stores, index, figures }: CacheResult): string {
  const facts = Object.entries(machine).map(([name, value]) => `${name} ${value}`)
  const parts = [
    `# The store cache beside others\n\nMedians of ${rounds === 1 ? '1 round' : `${rounds} rounds, in turns`}; ${facts.join(', ')}.`,
    'The archive is what cache-nix-action does: `tar` and `zstd` over the store through the same cache client, ' +
      'databases merged; without Nix itself in it. Whatever is needed, it restores all, and whatever is new, it saves ' +
      'all. `nix copy` goes to and from a folder, without any service.',
    ...stores.map(renderStore),
  ]
  if (index.length > 0) {
    const rows = index.map(({ paths, size, milliseconds, peak, grown }) => [
      ...[String(paths), megabytes(size), `${milliseconds.toFixed(0)} ms`],
      ...[megabytes(peak), megabytes(grown)],
    ])
    const head = ['paths', 'index', 'to open it', 'memory of the process', 'of that the index']
    parts.push(`## To open an index\n\n${table(head, rows)}`)
  }
  parts.push(...renderFigures(figures))
  return `${parts.join('\n\n')}\n`
}

function renderStore({ name, paths, files, bytes, scenarios }: StoreResult): string {
  const rows = (Object.keys(scenarios) as Scenario[]).map(scenario => {
    const samples = tools.map(tool => scenarios[scenario]?.[tool])
    const [ours = [], tar = []] = samples
    const ratio = (of: (some: readonly Sample[]) => number) =>
      ours.length > 0 && tar.length > 0 ? `${(of(ours) / of(tar)).toFixed(2)}×` : ''
    const all = (of: (sample: Sample) => number) => (ours.length === 0 ? 0 : median(ours.map(of)))
    return [
      scenario,
      ...samples.map(some =>
        some === undefined || some.length === 0 ? '' : `${seconds(some).toFixed(2)} s`,
      ),
      ratio(seconds),
      ratio(cpu),
      megabytes(all(({ sent, received }) => sent + received)),
      String(all(({ calls }) => calls)),
      tar.length === 0 ? '' : megabytes(median(tar.map(({ sent, received }) => sent + received))),
    ]
  })
  const head = [
    '',
    ...tools.map(tool => titles[tool]),
    'to archive',
    'its CPU time',
    'ours moved',
    'calls',
    'archive moved',
  ]
  const what = `${paths} paths, ${files} files, ${megabytes(bytes)}`
  return `## Store ${name}: ${what}\n\n${table(head, rows)}`
}

/** Nothing where there are none. */
export function renderFigures(figures: readonly Figure[]): string[] {
  const rows = figures.map(({ what, is, atMost, unit, met }) => [
    ...[what, amount(is, unit), `≤ ${amount(atMost, unit)}`, met ? 'met' : '**missed**'],
  ])
  return rows.length === 0 ? [] : [`## Figures\n\n${table(['', 'is', 'wanted', ''], rows)}`]
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

function seconds(samples: readonly Sample[]): number {
  return median(samples.map(sample => sample.seconds))
}

function cpu(samples: readonly Sample[]): number {
  return median(samples.map(sample => sample.cpu))
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e8 ? 1 : 0)} MB`
}

function amount(number: number, unit: Figure['unit']): string {
  const digits = unit === '×' || unit === 's' ? 2 : 0
  return `${number.toFixed(digits)}${unit === '×' || unit === '' ? unit : ` ${unit}`}`
}
