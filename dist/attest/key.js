import { createPrivateKey, createPublicKey, sign as signBytes } from 'node:crypto'

import { sha256 } from '../util/digest.js'
import { messageOf, UserError } from '../util/errors.js'

/**
 * Reads a private key: ECDSA on the curve P-256, in PEM, as `openssl` writes it.
 * @param password of an encrypted one
 * @throws UserError when it is something else, which is not shown
 */
export function parseSigningKey(pem, password) {
  if (/BEGIN ENCRYPTED (SIGSTORE|COSIGN) PRIVATE KEY/.test(pem)) {
    throw new UserError("This is a key in cosign's own form, which is not read.", {
      advice:
        'Give a key in PKCS #8, such as `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256` makes; `cosign verify --key` takes its public key.',
    })
  }
  let key
  try {
    // Without a password OpenSSL would ask for one.
    key = createPrivateKey({ key: pem, format: 'pem', passphrase: password })
  } catch (error) {
    throw new UserError(`This is no private key in PEM${password === '' ? '' : ' with that password'}.`, {
      advice: messageOf(error).includes('bad decrypt')
        ? 'The password is another one.'
        : 'It begins with -----BEGIN PRIVATE KEY----- and has the lines as they were written.',
    })
  }
  if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new UserError(`This is a key of another kind: ${key.asymmetricKeyType}.`, {
      advice: 'Give an ECDSA key on the curve P-256, as cosign uses.',
    })
  }
  const publicKey = createPublicKey(key)
  return {
    key,
    publicKey: publicKey.export({ format: 'pem', type: 'spki' }).toString(),
    fingerprint: sha256(publicKey.export({ format: 'der', type: 'spki' })),
    secrets: [pem, ...(password === '' ? [] : [password])],
  }
}

/** ECDSA over SHA-256, as Sigstore takes it from a key. */
export function sign({ key, publicKey }, data) {
  return { signature: signBytes('sha256', data, key), key: { $case: 'publicKey', publicKey } }
}

/** What a bundle names a key by, as cosign does: sha256 of the public key's DER in base64. */
export function hintOf({ fingerprint }) {
  return Buffer.from(fingerprint.slice('sha256:'.length), 'hex').toString('base64')
}
