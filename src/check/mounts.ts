import type { Subject } from './model.ts'

/** Filled by every runtime when it starts a container. */
export const runtimeMounts: readonly string[] = ['/proc', '/sys', '/dev']

/**
 * Whether a path is in what is mounted when a container runs: what the runtime fills, or a volume. Then the image does
 * not say what is there.
 * @param path absolute
 */
export function isMounted({ config }: Subject, path: string): boolean {
  return [...runtimeMounts, ...config.volumes].some(mount => `${path}/`.startsWith(`/${trimmed(mount)}/`))
}

function trimmed(path: string): string {
  return path.replace(/^\/+/, '').replace(/(?<!\/)\/+$/, '')
}
