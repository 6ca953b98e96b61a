/** A program that runs containers, and takes images for it. */
export type Engine = { readonly name: 'docker' | 'podman'; readonly env: Readonly<Record<string, string>> }
