import { createHash } from 'node:crypto'
import type { Answer } from './troubles.ts'

type Manifest = {
  mediaType: string
  artifactType?: string
  config?: { mediaType: string }
  subject?: { digest: string }
  annotations?: Record<string, string>
}

/**
 * A registry's own lists of referrers, which docker-registry does not keep, for one repository.
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#listing-referrers
 */
export class ReferrerLists {
  readonly #lists = new Map<string, object[]>()
  readonly #most: number

  /** @param most referrers on one page */
  constructor(most: number) {
    this.#most = most
  }

  /** Takes note of a manifest that was put. @returns the digest of its subject */
  note(bytes: Buffer): string | undefined {
    const manifest = JSON.parse(bytes.toString()) as Manifest
    const { mediaType, subject, config, annotations } = manifest
    if (subject === undefined) return undefined
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
    const artifactType = manifest.artifactType ?? config?.mediaType
    const others = (this.#lists.get(subject.digest) ?? []).filter(
      one => (one as { digest: string }).digest !== digest,
    )
    this.#lists.set(subject.digest, [
      ...others,
      { mediaType, digest, size: bytes.length, artifactType, annotations },
    ])
    return subject.digest
  }

  /** A page of a list, and where the next one is, seen from this one. */
  answer(digest: string, { pathname, searchParams }: URL): Answer {
    const mediaType = 'application/vnd.oci.image.index.v1+json'
    const all = this.#lists.get(digest) ?? []
    const begin = Number(searchParams.get('from') ?? 0)
    const end = begin + this.#most
    const manifests = all.slice(begin, end)
    const more = end < all.length ? { link: `<${pathname}?from=${end}>; rel="next"` } : {}
    return {
      status: 200,
      headers: { 'content-type': mediaType, ...more },
      body: { schemaVersion: 2, mediaType, manifests },
    }
  }
}
