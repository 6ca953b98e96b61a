const architectures = { x86_64: 'amd64', aarch64: 'arm64' }

/** What images call the platform of a Nix system such as `x86_64-linux`. */
export function platformOf(system) {
  const [cpu = '', os = ''] = system.split('-', 2)
  return { os, architecture: architectures[cpu] ?? cpu }
}

/** `linux/arm64`, `linux/arm/v7` */
export function formatPlatform({ os, architecture, variant }) {
  return [os, architecture, variant].filter(Boolean).join('/')
}
