import type { Subject } from './model.ts'

/** Filled by every runtime when it starts a container. */
export const runtimeMounts: readonly string[] = ['/proc', '/sys', '/dev']

/**
 * Whether a path is in what is mounted when a container runs: what the runtime fills, or a volume. Then the image does
 * not say what is there.
 * @param path absolute
 */
export function isMounted({ config }: Subject, path: string): boolean {
  return [...runtimeMounts, ...config.volumes].some(mount => isWithin(path, mount))
}

/**
 * Whether a path is that of a directory, or of what is in it.
 * @param path absolute
 * @param directory a config may lack its first slash
 */
export function isWithin(path: string, directory: string): boolean {
  return `${path}/`.startsWith(`/${directory}/`.replace(/\/+/g, '/'))
}
