/**
 * Installs Nix as main does and prints what came of it as JSON. Runs inside a machine, see ./install-in.ts:
 * `node nix-install.ts '{"mirror": …, "version": …, "sha256": …}'`
 */
import { copyFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathInfo } from '../../../src/nix/cli.ts'
import { writeConf } from '../../../src/nix/conf.ts'
import { currentAccount } from '../../../src/nix/environment.ts'
import { installNix } from '../../../src/nix/install.ts'
import { archiveName, keepRelease, type NixEntry } from '../../../src/nix/keep.ts'
import { selectRelease } from '../../../src/nix/releases.ts'
import { UserError } from '../../../src/util/errors.ts'
import { silent } from '../../../src/util/log.ts'
import type { DriverInput, DriverResult } from './install-in.ts'

const input: DriverInput = JSON.parse(process.argv[2] ?? '')

// The library's own switch for the pauses between its attempts.
Object.assign(globalThis, {
  TEST_DOWNLOAD_TOOL_RETRY_MIN_SECONDS: 0,
  TEST_DOWNLOAD_TOOL_RETRY_MAX_SECONDS: 0,
})

const warnings: string[] = []
const temp = join(process.env.RUNNER_TEMP ?? '', 'nix-image-action')
const confFile = join(temp, 'nix.conf')
const { nixConf = '', toolCache = false } = input

function say(result: Omit<DriverResult, 'warnings'>): void {
  process.stdout.write(`\nRESULT ${JSON.stringify({ ...result, warnings })}\n`)
}

function folderEntry(folder: string, name: string): NixEntry {
  const file = join(folder, name)
  return {
    restore: async () => (existsSync(file) ? file : undefined),
    save: async archive => copyFileSync(archive, file),
  }
}

try {
  const release = selectRelease(input.version, input.sha256, input.system)
  const entry = input.entry === undefined ? undefined : folderEntry(input.entry, archiveName(release))
  const installed = await installNix({
    ...{ release, asked: true, mirror: input.mirror, temp, confFile, nixConf, toolCache, entry },
    ...{ env: process.env, account: currentAccount() },
    log: { ...silent, warning: message => warnings.push(message) },
  })
  const token = input.token === undefined ? undefined : { host: 'github.com', token: input.token }
  const lists = { substituter: undefined, substituters: [], trustedPublicKeys: [] }
  await writeConf(confFile, { ...installed.conf, ...lists, extra: nixConf }, { token })
  const valid = await pathInfo(installed.nix, installed.closure)
  if (installed.keep !== undefined && input.keep === true)
    await keepRelease(installed.keep, { toolCache, entry })
  say({ installed, valid: valid.size > 0 && valid.size === installed.closure.length })
} catch (error) {
  if (!(error instanceof UserError)) throw error
  say({ error: error.message, advice: error.advice })
}
