/** Filled by every runtime when it starts a container. */
export const runtimeMounts = ['/proc', '/sys', '/dev']

/**
 * Whether a path is in what is mounted when a container runs: what the runtime fills, or a volume. Then the image does
 * not say what is there.
 * @param path absolute
 */
export function isMounted({ config }, path) {
  return [...runtimeMounts, ...config.volumes].some(mount => `${path}/`.startsWith(`/${trimmed(mount)}/`))
}

function trimmed(path) {
  return path.replace(/^\/+/, '').replace(/(?<!\/)\/+$/, '')
}
