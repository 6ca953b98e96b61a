import { type PathSpec, path } from '../stores.ts'

/** How large an image is, all of it together. */
export type ImageShape = { readonly layers: number; readonly files: number; readonly bytes: number }

/** An image as streamLayeredImage makes it: a layer for each store path, and one on top. */
export type ImageSpec = {
  readonly name: string
  /** Lowest first; each is a layer. The last one, small, is the application. */
  readonly paths: readonly PathSpec[]
  /** What the next commit has instead of the last one. */
  readonly changed: PathSpec
}

/** A program with what it needs of compilers, libraries and documentation. */
const big: ImageShape = { layers: 40, files: 70_000, bytes: 1.5e9 }

/** Of each small layer. */
const small = { files: 60, bytes: 240_000 }

const application = { paths: 1, filesEach: 20, bytesEach: 200_000 }

/**
 * @param size `big`, or the number of small layers
 * @returns undefined for anything else
 */
export function parseImage(size: string): ImageShape | undefined {
  if (size === 'big') return big
  const layers = /^[1-9]\d{0,2}$/.test(size) ? Number(size) : 0
  return layers < 3 ? undefined : { layers, files: layers * small.files, bytes: layers * small.bytes }
}

/** Lays out an image. Pure, and the same for the same name and shape. */
export function describeImage(name: string, { layers, files, bytes }: ImageShape): ImageSpec {
  // Besides them there are the application and the layer on top.
  const paths = layers - 2
  const shape = { paths, filesEach: files / paths, bytesEach: bytes / paths }
  const below = Array.from({ length: paths }, (_, index) => path(`${name}-layer`, index, [], shape))
  const [app, changed] = [0, 1].map(commit => path(`${name}-app`, commit, [], application)) as [
    PathSpec,
    PathSpec,
  ]
  return { name, paths: [...below, app], changed }
}

/** What its store paths are in all. */
export function amountOf({ paths }: ImageSpec): ImageShape {
  const sum = (of: (path: PathSpec) => number) => paths.reduce((total, path) => total + of(path), 0)
  return { layers: paths.length + 1, files: sum(({ files }) => files), bytes: sum(({ bytes }) => bytes) }
}
