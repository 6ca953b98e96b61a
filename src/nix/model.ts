/** A Nix that can be run: where it is and the environment that its programs need. */
export type Nix = {
  /** As `nix --version` says it: `2.34.8`. */
  readonly version: string
  /** Directory with `nix`, `nix-store` and the other programs. */
  readonly bin: string
  /** `x86_64-linux`, `aarch64-linux`. */
  readonly system: string
  /** The whole environment for Nix's programs. */
  readonly env: Readonly<Record<string, string>>
  /** Interrupts its programs when it aborts. */
  readonly signal?: AbortSignal
}

/** What `nix path-info --json` knows of a valid store path. */
export type PathInfo = {
  /** `/nix/store/<32 characters>-<name>` */
  readonly path: string
  /** `sha256-<base64>` */
  readonly narHash: string
  /** Bytes. */
  readonly narSize: number
  /** Store paths, without `path` itself unless it refers to itself. */
  readonly references: readonly string[]
  readonly deriver: string | undefined
  readonly signatures: readonly string[]
  /** Content address of sources and fixed-output paths: `fixed:r:sha256:…`, `text:sha256:…`. */
  readonly ca: string | undefined
  /** Seconds since the epoch. */
  readonly registrationTime: number
  /** Built here, not substituted. */
  readonly ultimate: boolean
}
