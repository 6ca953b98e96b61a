import type { Evaluated } from '../build/flake.ts'
import type { RegistryClient } from '../registry/client.ts'
import type { Child } from '../registry/image-index.ts'
import type { TagsBefore } from '../registry/published.ts'
import type { PublishedImage } from '../report.ts'

/** The registry that a run pushes to. */
export type Registry = {
  readonly client: RegistryClient
  /** What the tags name, before this run sets them. */
  readonly published: TagsBefore
}

/** What the registry has of an image for one platform. */
export type PushedImage = {
  readonly child: Child
  readonly image: PublishedImage
  /** What it was made from; undefined where this job did not ask Nix. */
  readonly evaluated: Evaluated | undefined
}

/** What was written of an image, as CycloneDX. */
export type WrittenSbom = {
  /** `linux/amd64` */
  readonly platform: string
  readonly file: string
  readonly text: string
}
