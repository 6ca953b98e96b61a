import { join } from 'node:path'
import * as z from 'zod'
import { type ExecResult, exec } from '../util/exec.ts'
import type { Nix, PathInfo } from './model.ts'
import { compareVersions } from './releases.ts'

export type RunOptions = {
  readonly cwd?: string
  readonly input?: Buffer
  /** Called with each line of stderr, without its end, as it is written. */
  readonly onStderrLine?: (line: string) => void
}

/**
 * Runs one of Nix's programs (`nix`, `nix-store` …) in the environment that belongs to it.
 * A non-zero exit is a result, not an exception.
 */
export function runNix(
  nix: Nix,
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<ExecResult> {
  return exec(join(nix.bin, program), args, { ...options, env: nix.env, signal: nix.signal })
}

/**
 * Asks the store about paths. Any number of them may be given: they go through stdin.
 * @param paths store paths, or `all` for every valid path
 * @param options.recursive also everything that the paths refer to. @default false
 * @returns by path, the valid ones only
 * @throws Error when Nix cannot answer.
 */
export async function pathInfo(
  nix: Nix,
  paths: readonly string[] | 'all',
  options: { readonly recursive?: boolean } = {},
): Promise<Map<string, PathInfo>> {
  // Without a path on stdin Nix would take the flake in the current directory.
  if (paths.length === 0) return new Map()
  const args = [
    ...['--extra-experimental-features', 'nix-command', 'path-info', '--json'],
    // An invalid path is an answer, not a wish to have it from a binary cache.
    ...['--option', 'substitute', 'false'],
    ...(options.recursive ? ['--recursive'] : []),
    ...(paths === 'all' ? ['--all'] : ['--stdin']),
  ]
  const input = paths === 'all' ? {} : { input: Buffer.from(`${paths.join('\n')}\n`) }
  // From 2.33 on the format has to be chosen; a fork with a higher version number need not know that.
  const choose = compareVersions(nix.version, '2.33') >= 0
  let result = await runNix(nix, 'nix', [...args, ...(choose ? ['--json-format', '1'] : [])], input)
  if (choose && result.code !== 0 && /unrecognised flag/.test(result.stderr)) {
    result = await runNix(nix, 'nix', args, input)
  }
  if (result.code !== 0) {
    throw new Error(`nix path-info failed: ${result.stderr.trim().split('\n').slice(-5).join('\n')}`)
  }
  return parsePathInfo(result.stdout)
}

const infoSchema = z.object({
  narHash: z.string(),
  narSize: z.number(),
  references: z.array(z.string()),
  deriver: z.string().nullish(),
  signatures: z.array(z.string()).optional(),
  ca: z.string().nullish(),
  registrationTime: z.number().optional(),
  ultimate: z.boolean().optional(),
})

const documentSchema = z.union([
  // Up to 2.18: a list, in which an invalid path has no fields but these two.
  z.array(
    z.union([
      z.object({ path: z.string(), valid: z.literal(false) }),
      infoSchema.extend({ path: z.string() }),
    ]),
  ),
  // From 2.19 on: by path; null for an invalid one. `--json-format 1` of 2.33.
  z.record(z.string(), infoSchema.nullable()),
])

/** Reads what `nix path-info --json` prints, in every form that it had since 2.18. */
export function parsePathInfo(json: string): Map<string, PathInfo> {
  const document = documentSchema.parse(JSON.parse(json))
  const entries = Array.isArray(document)
    ? document.map(entry => [entry.path, 'valid' in entry ? null : entry] as const)
    : Object.entries(document)
  const result = new Map<string, PathInfo>()
  for (const [path, info] of entries) {
    if (info === null) continue
    result.set(
      path,
      Object.freeze({
        path,
        narHash: info.narHash,
        narSize: info.narSize,
        references: info.references,
        deriver: info.deriver ?? undefined,
        signatures: info.signatures ?? [],
        ca: info.ca ?? undefined,
        registrationTime: info.registrationTime ?? 0,
        ultimate: info.ultimate ?? false,
      }),
    )
  }
  return result
}
