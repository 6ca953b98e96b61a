import { messageOf } from '../util/errors.js'

import { entries } from './entries.js'
import { readIndex } from './index-file.js'
import { lazyPacks } from './packs.js'
import { binaryCache } from './server.js'

/** The substituter's process: told over IPC what to serve; then it serves until it is ended. */
export function serveParent() {
  const orphaned = () => process.exit(1)
  process.once('disconnect', orphaned)
  process.once('message', async options => {
    const started = await start(options).catch(error => ({ problem: messageOf(error) }))
    process.off('disconnect', orphaned)
    process.send?.(started, () => process.disconnect())
  })
}

/** Milliseconds for a pack of at most 128 MiB: what takes longer is quicker built or fetched from elsewhere. */
const packTimeout = 120_000

async function start({ indexFile, folder, client, token }) {
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
  await new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  return { port: server.address().port }
}

/** The process has a file for its output. */
const log = {
  debug: () => {},
  info: message => process.stdout.write(`${new Date().toISOString()} ${message}\n`),
  warning: message => log.info(message),
  group: (_title, work) => work(),
}
