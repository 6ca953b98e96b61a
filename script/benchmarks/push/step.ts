/**
 * Pushes or inspects an image as a step of a job would, inside of a machine: what is asked comes as JSON by argv, the
 * answer goes as one line of JSON to stdout.
 */

import { inspectImage } from '../../../src/check/inspect.ts'
import { openImage } from '../../../src/image/open.ts'
import { platformOf } from '../../../src/image/platform.ts'
import { pathInfo } from '../../../src/nix/cli.ts'
import { currentAccount, nixEnvironment } from '../../../src/nix/environment.ts'
import { systemOf } from '../../../src/nix/releases.ts'
import { makePlaces, programs, removePlaces } from '../../../src/places.ts'
import { registryClient } from '../../../src/registry/client.ts'
import type { Compression } from '../../../src/registry/model.ts'
import { pushImage } from '../../../src/registry/push.ts'
import { parseName } from '../../../src/registry/reference.ts'
import { strictLog as log } from '../strict-log.ts'

export type PushStep = {
  readonly nix: { readonly version: string; readonly bin: string }
  /** What streamLayeredImage makes an image from, or an image. */
  readonly path: string
  readonly name: string
  readonly tag: string
  readonly compression: Compression
  /** Whether it is only inspected, and not pushed. */
  readonly inspect?: boolean
}
/** Bytes, or what the inspection took, in seconds. */
export type PushAnswer = { readonly uploaded: number; readonly inspected: number }

const { nix, path, name, tag, compression, inspect = false }: PushStep = JSON.parse(process.argv[2] ?? '')
const { env } = process
const { confFile, scratch, folder } = await makePlaces({ temp: env.RUNNER_TEMP ?? '' })
const environment = nixEnvironment({
  ...{ env, account: currentAccount(), bin: nix.bin, confFile, certificates: undefined, ours: true },
})
const info = (paths: readonly string[]) =>
  pathInfo({ ...nix, system: systemOf(process.arch), env: environment }, paths)
const image = await openImage({
  ...{ path, scratch, env: environment, now: new Date(), log },
  platform: platformOf(systemOf(process.arch)),
  pathInfo: info,
})
const began = performance.now()
const { uploaded } = inspect ? { uploaded: 0 } : await pushed()
if (inspect) await inspectImage(image, { ignored: [], scratch, pathInfo: info })
const inspected = inspect ? (performance.now() - began) / 1000 : 0
await image.close()
await removePlaces({ folder, scratch, confFile })
process.stdout.write(`${JSON.stringify({ uploaded, inspected } satisfies PushAnswer)}\n`)

function pushed() {
  return pushImage({
    client: registryClient({ repository: parseName(name), credentials: undefined, env: {}, log }),
    ...{ image, compression, tags: [tag], memo: new Map(), programs, scratch, log },
  })
}
