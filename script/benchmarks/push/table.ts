import { megabytes, renderFigures, table } from '../table.ts'
import { medianOf, samplesOf } from './figures.ts'
import {
  type ImageResult,
  type LargeResult,
  type PushResult,
  type Row,
  scenarios,
  type UnchangedResult,
  type UnchangedScenario,
} from './results.ts'

const titles = {
  ours: 'nix-image-action',
  skopeo: 'skopeo',
  crane: 'crane',
  docker: '`docker load`, `docker push`',
}
const told = {
  cold: 'to an empty registry',
  again: 'what the registry has',
  changed: 'one small layer changed',
}

/** The results for people, as markdown. Pure. */
export function renderPush({
  machine,
  rounds,
  images,
  unchanged,
  large,
  curves,
  figures,
}: PushResult): string {
  const facts = Object.entries(machine).map(([name, value]) => `${name} ${value}`)
  return `${[
    `# The push beside others\n\nMedians of ${rounds === 1 ? '1 round' : `${rounds} rounds, in turns`}; ${facts.join(', ')}.`,
    'Each on a fresh machine that remembers nothing. Who cannot push from the store needs an archive first: `with it` ' +
      'has the time in which Python makes one as streamLayeredImage does. Memory is that of all processes together at ' +
      'the peak, bytes are what the registry has more of afterwards.',
    ...images.map(renderImage),
    ...(unchanged === undefined ? [] : [renderUnchanged(unchanged)]),
    ...(large.length === 0 ? [] : [renderLarge(large)]),
    ...(curves.length === 0 ? [] : [renderCurves([...curves, ...images])]),
    ...renderFigures(figures),
  ].join('\n\n')}\n`
}

function renderImage(image: ImageResult): string {
  const { name, layers, files, bytes, archiving, rows } = image
  const first = medianOf(archiving, ({ seconds }) => seconds)
  // Beside each other what did the same.
  const sorted = (['zstd', 'gzip'] as const).flatMap(compression =>
    scenarios.flatMap(scenario =>
      rows.filter(row => row.compression === compression && row.scenario === scenario),
    ),
  )
  const listed = sorted.map(row => {
    const over = (of: (sample: Row['samples'][number]) => number) => medianOf(row.samples, of)
    const own = over(({ seconds }) => seconds)
    const skopeo = samplesOf(image, { ...row, tool: 'skopeo', from: 'archive' }, row.scenario)
    const withArchive = row.from === 'store' ? own : own + first
    const ratio = (is: number, more: number) =>
      skopeo.length === 0 ? '' : `${(is / (medianOf(skopeo, ({ seconds }) => seconds) + more)).toFixed(2)}×`
    return [
      `${told[row.scenario]}, ${row.compression}`,
      `${titles[row.tool]}${row.from === 'store' ? ', from the store' : ''}`,
      `${own.toFixed(2)} s`,
      ratio(own, 0),
      `${withArchive.toFixed(2)} s`,
      ratio(withArchive, first),
      `${over(({ cpu }) => cpu).toFixed(2)} s`,
      megabytes(over(({ peak }) => peak)),
      megabytes(over(({ sent }) => sent)),
    ]
  })
  const head = ['', '', 'time', 'to skopeo', 'with it', 'to skopeo', 'CPU time', 'memory', 'sent']
  const what = `${layers} layers, ${files} files, ${megabytes(bytes)}`
  const inspected = image.inspections.flatMap(({ from, samples }) =>
    samples.length === 0
      ? []
      : [`${medianOf(samples, ({ seconds }) => seconds).toFixed(2)} s from the ${from}`],
  )
  const inspection = inspected.length === 0 ? '' : ` To inspect the image takes us ${inspected.join(', ')}.`
  const archive = `To make the archive takes ${first.toFixed(2)} s.${inspection}`
  return `## Image ${name}: ${what}\n\n${archive}\n\n${table(head, listed)}`
}

function renderUnchanged(unchanged: UnchangedResult): string {
  const rows = (Object.keys(unchanged) as UnchangedScenario[]).map(scenario => [
    scenario,
    `${medianOf(unchanged[scenario], ({ seconds }) => seconds).toFixed(2)} s`,
    `${medianOf(unchanged[scenario], ({ afterNix }) => afterNix).toFixed(2)} s`,
    String(Math.max(...unchanged[scenario].map(({ blobs }) => blobs))),
  ])
  const head = ['', 'the whole step', 'of it after Nix is there', 'requests for blobs']
  return `## Nothing changed\n\n${table(head, rows)}`
}

function renderLarge(large: readonly LargeResult[]): string {
  const rows = large.map(({ compression, bytes, seconds, cpu, peak }) => [
    ...[megabytes(bytes), compression, `${seconds.toFixed(2)} s`, `${cpu.toFixed(2)} s`, megabytes(peak)],
  ])
  return `## One large layer\n\n${table(['', '', 'time', 'CPU time', 'memory'], rows)}`
}

function renderCurves(curves: readonly ImageResult[]): string {
  const rows = curves.map(image => {
    const of = (tool: 'ours' | 'skopeo', from: 'store' | 'archive') =>
      samplesOf(image, { tool, from, compression: 'zstd' }, 'cold')
    const [ours, skopeo] = [of('ours', 'store'), of('skopeo', 'archive')]
    return [
      ...[String(image.layers), megabytes(image.bytes), String(image.files)],
      `${medianOf(image.archiving, ({ seconds }) => seconds).toFixed(2)} s`,
      ...[ours, skopeo].flatMap(samples =>
        samples.length === 0
          ? ['', '', '']
          : [
              `${medianOf(samples, ({ seconds }) => seconds).toFixed(2)} s`,
              `${medianOf(samples, ({ cpu }) => cpu).toFixed(2)} s`,
              megabytes(medianOf(samples, ({ peak }) => peak)),
            ],
      ),
    ]
  })
  const each = ['CPU time', 'memory']
  const head = ['layers', 'bytes', 'files', 'archive', 'ours, from the store', ...each, 'skopeo', ...each]
  return `## Cost by layers and bytes, to an empty registry, zstd\n\n${table(head, rows)}`
}
