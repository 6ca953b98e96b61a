import { createHash, verify } from 'node:crypto'

type Proposed = {
  readonly apiVersion: string
  readonly kind: string
  readonly spec: {
    readonly proposedContent?: { readonly envelope: string; readonly verifiers: readonly string[] }
  }
}

type Envelope = {
  readonly payloadType: string
  readonly payload: string
  readonly signatures: readonly { readonly sig: string }[]
}

/**
 * What Rekor logs of a proposed entry: of a DSSE envelope digests and signatures, when these are right. The mock logs
 * what it is given.
 * https://github.com/sigstore/rekor/blob/v1.3.10/pkg/types/dsse/v0.0.1/dsse_v0_0_1_schema.json
 * @throws Error when a signature is wrong
 */
export function canonicalEntry(proposed: Proposed): object {
  const content = proposed.spec.proposedContent
  if (proposed.kind !== 'dsse' || content === undefined) return proposed
  const envelope = JSON.parse(content.envelope) as Envelope
  const { payloadType, signatures } = envelope
  const payload = Buffer.from(envelope.payload, 'base64')
  const [verifier = ''] = content.verifiers
  const signed = Buffer.concat([
    Buffer.from(`DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `),
    payload,
  ])
  for (const { sig } of signatures)
    if (!verify('sha256', signed, Buffer.from(verifier, 'base64'), Buffer.from(sig, 'base64')))
      throw new Error('the signature of the envelope does not verify')
  const { apiVersion, kind } = proposed
  return {
    ...{ apiVersion, kind },
    spec: {
      envelopeHash: { algorithm: 'sha256', value: hash(content.envelope) },
      payloadHash: { algorithm: 'sha256', value: hash(payload) },
      signatures: signatures.map(({ sig }) => ({ signature: sig, verifier })),
    },
  }
}

function hash(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex')
}
