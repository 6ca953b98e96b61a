import type { Job } from '../job.ts'
import type { Repository } from '../registry/reference.ts'
import type { Published, PublishedImage } from '../report.ts'

/** What is told of a publication, as it becomes known; what is not in it stays as it was. */
export type Told = {
  readonly images?: readonly PublishedImage[]
  readonly index?: { readonly digest: string; readonly changed: boolean } | undefined
  /** Without the name. */
  readonly tags?: readonly string[]
  readonly tagged?: readonly string[]
  readonly waiting?: readonly string[]
}

/** Adds to what the report says of a publication: nothing before the registry has the first image. */
export function tell({ report }: Pick<Job, 'report'>, { name }: Pick<Repository, 'name'>, told: Told): void {
  const { push } = report
  const images = [...(told.images ?? push?.images ?? [])].sort((a, b) => (a.platform < b.platform ? -1 : 1))
  const [first] = images
  const index = told.index ?? push?.index
  if (first === undefined) return
  report.push = {
    ...{ name, images },
    ...(index === undefined ? {} : { index }),
    digest: index?.digest ?? first.digest,
    platforms: index === undefined ? [first.platform] : images.map(({ platform }) => platform),
    changed: index?.changed ?? images.some(({ changed }) => changed),
    tags: told.tags?.map(tag => `${name}:${tag}`) ?? push?.tags ?? [],
    tagged: told.tagged ?? push?.tagged ?? [],
    waiting: told.waiting ?? push?.waiting ?? [],
  } satisfies Published
}

/** Adds an image that the registry has, or what is newly known of it. */
export function tellImage(
  job: Pick<Job, 'report'>,
  repository: Pick<Repository, 'name'>,
  image: PublishedImage,
): void {
  const others = job.report.push?.images.filter(({ platform }) => platform !== image.platform) ?? []
  tell(job, repository, { images: [...others, image] })
}
