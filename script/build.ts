import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { bundle, differences, writeBundle } from './bundle/bundle.ts'

// Node.js warns that taking types out is experimental; the version that does it is pinned.
process.removeAllListeners('warning')

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } })
const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')
const files = await bundle(root, [
  ...['main.ts', 'post.ts', 'substituter.ts', 'cache-client.ts'],
  ...['nar-worker.ts', 'layer-worker.ts', 'deflate-thread.ts'],
])

if (values.check) {
  const stale = await differences(dist, files)
  for (const path of stale) console.error(`dist/${path} is not what script/build makes`)
  if (stale.length > 0) {
    console.error('dist/ is stale: run script/build and commit what it writes')
    process.exitCode = 1
  } else console.log('dist/ is current')
} else {
  await rm(dist, { recursive: true, force: true })
  await writeBundle(dist, files)
  const { ours = [], libraries = [] } = Object.groupBy(files, ([path]) =>
    /^(vendor\/|LICENSES)/.test(path) ? 'libraries' : 'ours',
  )
  const size = (some: readonly (readonly [string, string])[]) => {
    const bytes = some.reduce((sum, [, text]) => sum + Buffer.byteLength(text), 0)
    return `${some.length} files, ${Math.round(bytes / 1024)} KiB`
  }
  console.log(`dist/: ours ${size(ours)}; libraries ${size(libraries)}`)
}
