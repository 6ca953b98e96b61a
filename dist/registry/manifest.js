export const manifestMediaType = 'application/vnd.oci.image.manifest.v1+json'
export const configMediaType = 'application/vnd.oci.image.config.v1+json'

/**
 * The manifest of an image for one platform, as bytes: the same content always gives the same bytes.
 * https://github.com/opencontainers/image-spec/blob/v1.1.1/manifest.md
 * @param annotations in any order; left out when there are none
 */
export function imageManifest(config, layers, annotations) {
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: manifestMediaType,
      config: plain(config),
      layers: layers.map(plain),
      ...annotated(annotations),
    }),
  )
}

function plain({ mediaType, digest, size, annotations = {} }) {
  return { mediaType, digest, size, ...annotated(annotations) }
}

export function annotated(annotations) {
  const sorted = Object.entries(annotations).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return sorted.length === 0 ? {} : { annotations: Object.fromEntries(sorted) }
}
