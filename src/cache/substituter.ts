import type { AddressInfo } from 'node:net'
import { messageOf } from '../util/errors.ts'
import type { Log } from '../util/log.ts'
import { entries } from './entries.ts'
import { readIndex } from './index-file.ts'
import { lazyPacks } from './packs.ts'
import { binaryCache } from './server.ts'

/** What the process is told, once. */
export type SubstituterOptions = {
  readonly indexFile: string
  /** The action's own folder: packs are unpacked below it. */
  readonly folder: string
  /** The built `cache-client.js`. */
  readonly client: string
  /**
   * First part of every URL's path. New for each job: Nix remembers on disk what a cache at some URL has and has not,
   * and a port may come again.
   */
  readonly token: string
}

/** What the process says, once: its port, or why there is none. */
export type Started = { readonly port: number } | { readonly problem: string }

/** The substituter's process: told over IPC what to serve; then it serves until it is ended. */
export function serveParent(): void {
  const orphaned = () => process.exit(1)
  process.once('disconnect', orphaned)
  process.once('message', async (options: SubstituterOptions) => {
    const started = await start(options).catch((error): Started => ({ problem: messageOf(error) }))
    process.off('disconnect', orphaned)
    process.send?.(started, () => process.disconnect())
  })
}

/** Milliseconds for a pack of at most 128 MiB: what takes longer is quicker built or fetched from elsewhere. */
const packTimeout = 120_000

async function start({ indexFile, folder, client, token }: SubstituterOptions): Promise<Started> {
  const { index, problem } = await readIndex(indexFile)
  if (index === undefined) return { problem: problem ?? 'there is no index' }
  const packs = lazyPacks({
    index,
    folder,
    log,
    entries: entries({ client, env: process.env, log, timeout: packTimeout }),
  })
  packs.prefetch([...index.recent], 'ahead')
  const server = binaryCache({ index, packs, token, log })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  return { port: (server.address() as AddressInfo).port }
}

/** The process has a file for its output. */
const log: Log = {
  debug: () => {},
  info: message => process.stdout.write(`${new Date().toISOString()} ${message}\n`),
  warning: message => log.info(message),
  group: (_title, work) => work(),
}
