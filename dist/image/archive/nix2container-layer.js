export function sizeOfNix2ContainerLayer(_) {
  throw new Error('stub')
}

export function* archiveNix2ContainerLayer(_) {
  throw new Error('stub')
}
