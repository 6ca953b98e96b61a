/**
 * Opens an image as main does, reads all of it, and prints what it is as JSON. Runs inside a machine:
 * `node open-image.ts PATH SCRATCH`
 */
import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { openImage } from '../../../src/image/open.ts'
import { sha256 } from '../../../src/util/digest.ts'
import { UserError } from '../../../src/util/errors.ts'
import { silent } from '../../../src/util/log.ts'

const [path = '', scratch = ''] = process.argv.slice(2)
const debug: string[] = []
const env = Object.fromEntries(Object.entries(process.env).map(([name, value]) => [name, value ?? '']))

try {
  const image = await openImage({ path, scratch, env, log: { ...silent, debug: line => debug.push(line) } })
  const layers = []
  for (const { diffId, size, open } of image.layers) {
    const hash = createHash('sha256')
    let length = 0
    for await (const chunk of open()) {
      hash.update(chunk)
      length += chunk.length
    }
    layers.push({ diffId, size, length, digest: `sha256:${hash.digest('hex')}` })
  }
  await image.close()
  const { kind, platform, config } = image
  say({ kind, platform, id: sha256(config), config: config.toString(), layers, debug })
} catch (error) {
  if (!(error instanceof UserError)) throw error
  say({ error: error.message, advice: error.advice })
}

function say(result: object): void {
  process.stdout.write(JSON.stringify({ ...result, left: readdirSync(scratch) }))
}
