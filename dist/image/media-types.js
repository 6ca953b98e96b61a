const layer = 'application/vnd.oci.image.layer.v1.tar'
const docker = 'application/vnd.docker.image.rootfs.diff.tar'

const layerTypes = {
  [layer]: { mediaType: layer, packing: undefined },
  [`${layer}+gzip`]: { mediaType: `${layer}+gzip`, packing: 'gzip' },
  [`${layer}+zstd`]: { mediaType: `${layer}+zstd`, packing: 'zstd' },
  [docker]: { mediaType: layer, packing: undefined },
  [`${docker}.gzip`]: { mediaType: `${layer}+gzip`, packing: 'gzip' },
  [`${docker}.zstd`]: { mediaType: `${layer}+zstd`, packing: 'zstd' },
}

/**
 * Docker's media types of layers mean the same as OCI's, whose manifests may name only those.
 * https://github.com/opencontainers/image-spec/blob/v1.1.1/media-types.md#compatibility-matrix
 * @returns undefined of anything that is not the tar of a layer
 */
export function layerTypeOf(mediaType) {
  return Object.hasOwn(layerTypes, mediaType) ? layerTypes[mediaType] : undefined
}
