import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { partsBin } from '../../../script/parts/paths.ts'
import { type ExecResult, exec } from '../../../src/util/exec.ts'
import { issuer } from './id-tokens.ts'
import type { Sigstore } from './sigstore.ts'

// COSIGN_BIN: a folder with others than those of the parts.
const folder = process.env.COSIGN_BIN || partsBin

/** `cosign` is 3.x, which reads bundles; `cosign-2` reads signatures in tags. */
export type Cosign = 'cosign' | 'cosign-2'

/** Why this version cannot be run, for a test's `skip`; false when it can be. */
export function withoutCosign(version: Cosign): string | false {
  return existsSync(join(folder, version)) ? false : `this distribution has no ${version}`
}

/**
 * Runs cosign, which trusts the given Sigstore, and nothing else: by a file, and where it reads signatures in tags by
 * variables.
 * @param directory for files
 */
export async function cosign(
  version: Cosign,
  { directory, sigstore }: { readonly directory: string; readonly sigstore: Sigstore },
  args: readonly string[],
): Promise<ExecResult> {
  const { certificate, log, certificateLog } = sigstore.trusted
  const files = {
    SIGSTORE_ROOT_FILE: certificate,
    SIGSTORE_REKOR_PUBLIC_KEY: log,
    SIGSTORE_CT_LOG_PUBLIC_KEY_FILE: certificateLog,
  }
  const env: Record<string, string> = { HOME: directory }
  for (const [name, pem] of Object.entries(files)) {
    env[name] = join(directory, `${name}.pem`)
    await writeFile(join(directory, `${name}.pem`), pem)
  }
  const root = join(directory, 'trusted-root.json')
  await writeFile(root, sigstore.trustedRoot)
  const trust = version === 'cosign' ? ['--trusted-root', root] : []
  const [command = '', ...rest] = args
  return exec(join(folder, version), [command, '--allow-http-registry', ...trust, ...rest], { env })
}

/** Whose signature is wanted. */
export function signedBy(identity: string): string[] {
  return ['--certificate-identity', identity, '--certificate-oidc-issuer', issuer]
}
