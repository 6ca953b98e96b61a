/** Nothing but that the signer stands for the image: what `cosign sign` says. */
export const signature = { predicateType: 'https://sigstore.dev/cosign/sign/v1', predicate: {} }

/**
 * What an image holds.
 * https://github.com/in-toto/attestation/blob/v1.1.0/spec/predicates/cyclonedx.md
 * @param document CycloneDX, as JSON
 */
export function contents(document) {
  return { predicateType: 'https://cyclonedx.org/bom', predicate: JSON.parse(document) }
}

/**
 * An in-toto statement: a claim about an image.
 * https://github.com/in-toto/attestation/blob/v1.1.0/spec/v1/statement.md
 * @param subject.name the image's name, without a tag
 */
export function statement(subject, { predicateType, predicate }) {
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
