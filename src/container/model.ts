/** A program that runs containers, and takes images for it. */
export type Engine = {
  /** Whose options it takes. */
  readonly name: 'docker' | 'podman'
  /** What is run: `docker` may be Podman, too. */
  readonly program: 'docker' | 'podman'
  readonly env: Readonly<Record<string, string>>
}
