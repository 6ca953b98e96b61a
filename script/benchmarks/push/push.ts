import { loadavg } from 'node:os'
import { join } from 'node:path'
import { machineFacts, prepare } from '../setting.ts'
import { realContents } from './contents.ts'
import { figuresOf } from './figures.ts'
import { benchImage } from './image-bench.ts'
import { describeImage, type ImageShape, parseImage } from './images.ts'
import { benchLarge } from './large.ts'
import { unpackPython } from './python.ts'
import {
  contenders,
  type ImageResult,
  type LargeResult,
  type PushResult,
  scenarios,
  type Tool,
  type UnchangedResult,
} from './results.ts'
import { benchUnchanged } from './unchanged.ts'

export const pushParts = ['images', 'unchanged', 'large', 'curves'] as const

export type PushOptions = {
  readonly rounds: number
  /** Names of images: see `parseImage`. */
  readonly sizes: readonly string[]
  readonly only: readonly (typeof pushParts)[number][]
  /** Who is left out. */
  readonly without: readonly Tool[]
  /** Everything else small as well, to see that it works. */
  readonly quick: boolean
  /** Told what is being done. */
  readonly say: (line: string) => void
}

/** As many bytes in more and more layers, then more and more bytes in as many; the big image goes on from there. */
const curves: readonly ImageShape[] = [
  ...[10, 100, 500].map(layers => ({ layers, files: 5000, bytes: 50e6 })),
  ...[100e6, 400e6].map(bytes => ({ layers: 40, files: bytes / 20_000, bytes })),
]
const quickCurves: readonly ImageShape[] = [3, 6].map(layers => ({ layers, files: 60, bytes: 1e6 }))

/** Measures the push beside what a user would pick instead. */
export async function benchPush(options: PushOptions): Promise<PushResult> {
  const { rounds, sizes, only, without, quick, say } = options
  const load = loadavg()[0]?.toFixed(1) ?? ''
  await using setting = await prepare()
  const python = await unpackPython(join(setting.folder, 'python'))
  const contents = realContents()
  const taking = contenders.filter(({ tool }) => !without.includes(tool))
  const common = { rounds, python, contents, say }
  const images: ImageResult[] = []
  for (const size of only.includes('images') ? sizes : []) {
    const shape = parseImage(size)
    if (shape === undefined) throw new Error(`there is no image '${size}'`)
    images.push(
      await benchImage(setting, describeImage(size, shape), { ...common, contenders: taking, scenarios }),
    )
  }
  const unchanged: UnchangedResult | undefined = only.includes('unchanged')
    ? await benchUnchanged({ rounds, template: quick ? 'busybox' : 'redis', say })
    : undefined
  const large: readonly LargeResult[] = only.includes('large')
    ? await benchLarge(setting, { bytes: quick ? 32 * 1024 ** 2 : 4 * 1024 ** 3, contents, say })
    : []
  const points: ImageResult[] = []
  const quickest = taking.filter(
    ({ tool, from, compression }) => compression === 'zstd' && (tool === 'skopeo' || from === 'store'),
  )
  for (const shape of only.includes('curves') ? (quick ? quickCurves : curves) : []) {
    const spec = describeImage(
      `${shape.layers} layers of ${shape.bytes / 1e6} MB`.replaceAll(' ', '-'),
      shape,
    )
    points.push(await benchImage(setting, spec, { ...common, contenders: quickest, scenarios: ['cold'] }))
  }
  return {
    benchmark: 'push',
    machine: machineFacts(setting, load),
    ...{ rounds, images, unchanged, large, curves: points },
    figures: figuresOf(images, unchanged, large),
  }
}
