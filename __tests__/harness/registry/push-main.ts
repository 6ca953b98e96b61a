// Pushes an image with one layer of 8 MB in a process of its own: for tests that end it, or fill its disk.
// Arguments: the image's name, an existing directory for scratch. Prints what came of it as JSON.
import { programs } from '../../../src/places.ts'
import { registryClient } from '../../../src/registry/client.ts'
import { pushImage } from '../../../src/registry/push.ts'
import { parseName } from '../../../src/registry/reference.ts'
import { UserError } from '../../../src/util/errors.ts'
import { silent } from '../../../src/util/log.ts'
import { noise, sampleImage, sampleLayer } from './sample.ts'

const [name = '', scratch = ''] = process.argv.slice(2)
const client = registryClient({ repository: parseName(name), credentials: undefined, env: {}, log: silent })
try {
  const pushed = await pushImage({
    client,
    image: sampleImage(sampleLayer({ name: 'a', data: noise(8_000_000) })),
    compression: 'gzip',
    tags: ['main'],
    memo: new Map(),
    programs,
    scratch,
    log: silent,
  })
  console.log(JSON.stringify({ digest: pushed.digest }))
} catch (error) {
  if (!(error instanceof UserError)) throw error
  console.log(JSON.stringify({ message: error.message, advice: error.advice }))
}
