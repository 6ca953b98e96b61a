export function sizeOfNix2ContainerLayer(_: Nix2ContainerLayer): number {
  throw new Error('stub')
}

import type { Nix2ContainerLayer } from '../model.ts'
export function* archiveNix2ContainerLayer(_: Nix2ContainerLayer): Generator<Uint8Array> {
  throw new Error('stub')
}
