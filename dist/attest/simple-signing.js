/**
 * What older verifiers want to be signed for an image.
 * https://github.com/containers/image/blob/main/docs/containers-signature.5.md#json-data-format
 * @param subject.name without a tag
 */
export function simpleSigning({ name, digest }) {
  return Buffer.from(
    JSON.stringify({
      critical: {
        identity: { 'docker-reference': name },
        image: { 'docker-manifest-digest': digest },
        type: 'cosign container image signature',
      },
      optional: null,
    }),
  )
}

/**
 * A bundle over such bytes as the annotations that they are kept with.
 * https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md#storage
 */
export function signatureAnnotations(bundle) {
  const { messageSignature, verificationMaterial } = bundle
  if (messageSignature === undefined) throw new Error('the bundle holds no signature of bytes')
  const certificate =
    verificationMaterial.certificate?.rawBytes ??
    verificationMaterial.x509CertificateChain?.certificates[0]?.rawBytes
  const [entry] = verificationMaterial.tlogEntries
  const [timestamp] = verificationMaterial.timestampVerificationData?.rfc3161Timestamps ?? []
  return {
    'dev.cosignproject.cosign/signature': messageSignature.signature,
    ...(certificate && { 'dev.sigstore.cosign/certificate': pem(certificate) }),
    ...(entry && { 'dev.sigstore.cosign/bundle': logged(entry) }),
    ...(timestamp && {
      'dev.sigstore.cosign/rfc3161timestamp': JSON.stringify({
        SignedRFC3161Timestamp: timestamp.signedTimestamp,
      }),
    }),
  }
}

function logged({ inclusionPromise, canonicalizedBody, integratedTime, logIndex, logId }) {
  return JSON.stringify({
    SignedEntryTimestamp: inclusionPromise?.signedEntryTimestamp,
    Payload: {
      body: canonicalizedBody,
      integratedTime: Number(integratedTime),
      logIndex: Number(logIndex),
      logID: Buffer.from(logId.keyId, 'base64').toString('hex'),
    },
  })
}

function pem(base64) {
  const lines = base64.match(/.{1,64}/g) ?? []
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
}
