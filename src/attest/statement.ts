import type { Digest } from '../util/digest.ts'

/** What is said of an image. */
export type Claim = {
  /** A URI: what kind of claim it is, and so what `predicate` holds. */
  readonly predicateType: string
  readonly predicate: unknown
}

/** Nothing but that the signer stands for the image: what `cosign sign` says. */
export const signature: Claim = { predicateType: 'https://sigstore.dev/cosign/sign/v1', predicate: {} }

/**
 * What an image holds.
 * https://github.com/in-toto/attestation/blob/v1.1.0/spec/predicates/cyclonedx.md
 * @param document CycloneDX, as JSON
 */
export function contents(document: string): Claim {
  return { predicateType: 'https://cyclonedx.org/bom', predicate: JSON.parse(document) }
}

/**
 * An in-toto statement: a claim about an image.
 * https://github.com/in-toto/attestation/blob/v1.1.0/spec/v1/statement.md
 * @param subject.name the image's name, without a tag
 */
export function statement(
  subject: { readonly name: string; readonly digest: Digest },
  { predicateType, predicate }: Claim,
): Buffer {
  const { name, digest } = subject
  return Buffer.from(
    JSON.stringify({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ name, digest: { sha256: digest.slice('sha256:'.length) } }],
      predicateType,
      predicate,
    }),
  )
}
