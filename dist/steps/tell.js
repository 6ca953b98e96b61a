/** Adds to what the report says of a publication: nothing before the registry has the first image. */
export function tell({ report }, { name }, told) {
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
  }
}

/** Adds an image that the registry has, or what is newly known of it. */
export function tellImage(job, repository, image) {
  const others = job.report.push?.images.filter(({ platform }) => platform !== image.platform) ?? []
  tell(job, repository, { images: [...others, image] })
}
