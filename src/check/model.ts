import type { Platform } from '../image/model.ts'
import type { RootFs } from '../image/rootfs/model.ts'
import type { RuleName } from './names.ts'

/** What the config says of how a container starts. https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md */
export type RunConfig = {
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
  /** The command of a health check; undefined where none is set, or `NONE`. */
  readonly healthcheck: { readonly shell: boolean; readonly argv: readonly string[] } | undefined
  readonly env: ReadonlyMap<string, string>
  /** As it is written: empty, `name`, `uid`, `name:group`, `uid:gid`. */
  readonly user: string
  /** Empty where none is set. */
  readonly workingDir: string
  /** Where a volume is mounted, also if nobody asks for it. */
  readonly volumes: readonly string[]
}

/** What is inspected. */
export type Subject = {
  readonly fs: RootFs
  readonly config: RunConfig
  readonly platform: Platform
  /** Store paths by the store path that refers to them, itself left out: of those that Nix knows here. */
  readonly references: ReadonlyMap<string, readonly string[]>
}

export type Finding = {
  /** The rule that found it: what can be turned off. */
  readonly rule: RuleName
  /** `error`: it will fail, for certain. `warning`: it may. `hint`: it costs something. */
  readonly severity: 'error' | 'warning' | 'hint'
  /** Where: `Entrypoint`, a path in the image, `/etc/supervisord.conf:12`. */
  readonly place: string
  /** What is wrong, and why that fails at run time. One or two sentences. */
  readonly why: string
  /** What to write in Nix. */
  readonly fix: string
}

/** What a rule looks at is all in the subject. */
export type Rule = {
  readonly inspect: (subject: Subject) => Iterable<Finding>
}
