import { median, type UpstreamResult, type UpstreamStore } from './results.ts'
import type { Sample } from './sample.ts'
import { megabytes, table } from './table.ts'

/** The results for people, as markdown. Pure. */
export function renderUpstream({ machine, rounds, links, stores }: UpstreamResult): string {
  const facts = Object.entries(machine).map(([name, value]) => `${name} ${value}`)
  const lines = Object.entries(links).map(([name, { roundTrip, connection, total }]) => [
    ...[name, `${roundTrip} ms`, `${megabytes(connection)}/s`, `${megabytes(total)}/s`],
  ])
  return `${[
    `# What a public cache has, from there and from our cache\n\nMedians of ${rounds === 1 ? '1 round' : `${rounds} rounds, in turns`}; ${facts.join(', ')}.`,
    table(['', 'round trip', 'a connection', 'all'], lines),
    ...stores.map(renderStore),
  ].join('\n\n')}\n`
}

function renderStore({ name, paths, files, bytes, upstreamBytes, cacheBytes, rows }: UpstreamStore): string {
  const over = (samples: readonly Sample[], of: (sample: Sample) => number) => median(samples.map(of))
  const base = rows['from our cache'] ?? []
  const listed = Object.entries(rows).map(([what, samples]) => [
    what,
    `${over(samples, ({ seconds }) => seconds).toFixed(2)} s`,
    `${over(samples, ({ cpu }) => cpu).toFixed(2)} s`,
    what.startsWith('from ')
      ? `${(over(samples, ({ seconds }) => seconds) / over(base, ({ seconds }) => seconds)).toFixed(2)}×`
      : '',
    megabytes(over(samples, ({ sent, received }) => sent + received)),
    String(over(samples, ({ calls }) => calls)),
  ])
  const head = ['', 'time', 'CPU time', 'to our cache', 'our cache moved', 'its calls']
  const what = `${paths} paths, ${files} files, ${megabytes(bytes)}`
  const sizes = `Upstream has ${megabytes(upstreamBytes)}; kept, it is ${megabytes(cacheBytes)} of our cache.`
  return `## Store ${name}: ${what}\n\n${sizes}\n\n${table(head, listed)}`
}
