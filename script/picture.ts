// A picture of a real job's summary: see script/picture.
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { changeApp } from '../__tests__/harness/change.ts'
import { browserUnavailable, takePicture } from '../__tests__/harness/page/browser.ts'
import { lookAt, pageOf } from '../__tests__/harness/page/page.ts'
import { World } from '../__tests__/harness/world.ts'
import { formatBytes } from '../src/util/text.ts'
import { repository } from './parts/paths.ts'

const width = 1012
const to = join(repository, 'docs/summary.png')

const missing = browserUnavailable()
if (missing !== undefined) throw new Error(missing)
await using world = await World.create({ template: 'redis' })
// Of the second job, in which some is new and some is not. The bound is one that the small sample is a part of to be seen.
const inputs = {
  name: `${world.registry.host}/me/app`,
  tags: '1.4.2\nlatest',
  sbom: 'true',
  'cache-size': '128M',
}
const first = await world.run({ with: inputs })
const { main, post } = await world.run({ with: inputs, change: changeApp })
if (first.main.code !== 0 || main.code !== 0) throw new Error(first.main.log + main.log)
const summary = `${main.summary}\n\n${post.summary}`
const [[page] = []] = await lookAt([summary], [width])
if (page === undefined) throw new Error('the page was not shown')
await takePicture(pageOf(summary), { width, height: Math.ceil(page.height), scale: 1.5, to })
console.log(`${to}: ${formatBytes((await stat(to)).size)}`)
