/**
 * Opens an image as main does, reads all of it, and prints what it is as JSON. Runs inside a machine:
 * `node open-image.ts PATH SCRATCH`
 */
import { readdirSync } from 'node:fs'
import { openImage } from '../../../src/image/open.ts'
import { sha256 } from '../../../src/util/digest.ts'
import { UserError } from '../../../src/util/errors.ts'
import { silent } from '../../../src/util/log.ts'
import { bytesOfLayer } from '../../harness/layer.ts'

const [path = '', scratch = ''] = process.argv.slice(2)
const debug: string[] = []
const env = Object.fromEntries(Object.entries(process.env).map(([name, value]) => [name, value ?? '']))

try {
  const image = await openImage({
    ...{ path, scratch, env },
    pathInfo: async () => new Map(),
    now: new Date(0),
    platform: { os: 'linux', architecture: 'amd64' },
    log: { ...silent, debug: line => debug.push(line) },
  })
  const layers = image.layers.map(layer => {
    const bytes = bytesOfLayer(layer)
    return { diffId: layer.diffId, size: layer.size, length: bytes.length, digest: sha256(bytes) }
  })
  const config = image.config(layers.map(({ digest }) => digest))
  await image.close()
  const { kind, platform } = image
  say({ kind, platform, id: sha256(config), config: config.toString(), layers, debug })
} catch (error) {
  if (!(error instanceof UserError)) throw error
  say({ error: error.message, advice: error.advice })
}

function say(result: object): void {
  process.stdout.write(JSON.stringify({ ...result, left: readdirSync(scratch) }))
}
