/** Platforms as images name them, by what Nix calls their processors. */
const processors = {
  x86_64: { architecture: 'amd64' },
  aarch64: { architecture: 'arm64' },
  armv7l: { architecture: 'arm', variant: 'v7' },
  armv6l: { architecture: 'arm', variant: 'v6' },
  armv5tel: { architecture: 'arm', variant: 'v5' },
  i686: { architecture: '386' },
  riscv64: { architecture: 'riscv64' },
  powerpc64le: { architecture: 'ppc64le' },
  s390x: { architecture: 's390x' },
  loongarch64: { architecture: 'loong64' },
}

/** Nix systems that an image can be for. */
export const systems = Object.keys(processors).map(cpu => `${cpu}-linux`)

/** What images call the platform of a Nix system such as `x86_64-linux`. */
export function platformOf(system) {
  const [cpu = '', os = ''] = system.split('-', 2)
  return { os, ...(processors[cpu] ?? { architecture: cpu }) }
}

/**
 * A platform in the one form of several that it has: 64 bit ARM without its only variant.
 * https://github.com/containerd/platforms#normalization
 */
export function normal({ os, architecture, variant }) {
  const plain = variant === undefined || (architecture === 'arm64' && variant === 'v8')
  return plain ? { os, architecture } : { os, architecture, variant }
}

/** Reads `linux/arm64` or `linux/arm/v7`; undefined for anything else. */
export function parsePlatform(text) {
  const [, os, architecture, variant] = /^(linux)\/([a-z0-9]+)(?:\/(v[0-9]+))?$/.exec(text) ?? []
  if (os === undefined || architecture === undefined) return undefined
  if (variant !== undefined) return normal({ os, architecture, variant })
  // As Docker reads it.
  return architecture === 'arm' ? { os, architecture, variant: 'v7' } : { os, architecture }
}

/** `linux/arm64`, `linux/arm/v7` */
export function formatPlatform(platform) {
  const { os, architecture, variant } = normal(platform)
  return [os, architecture, variant].filter(Boolean).join('/')
}

/** Whether an image whose config names one platform is for another. The variant may be left out. */
export function fits(image, wanted) {
  const [one, other] = [normal(image), normal(wanted)]
  const variants = one.variant === undefined || other.variant === undefined || one.variant === other.variant
  return one.os === other.os && one.architecture === other.architecture && variants
}

/** In the order of their names: an index of the same images is the same. */
export function comparePlatforms(a, b) {
  const [one, other] = [formatPlatform(a), formatPlatform(b)]
  return one < other ? -1 : Number(one > other)
}
