/** What Nix knows of store paths, by path: of the valid ones only. */
export type StorePaths = ReadonlyMap<
  string,
  {
    /** `sha256-<base64>` */
    readonly narHash: string
    /** Bytes. */
    readonly narSize: number
  }
>
