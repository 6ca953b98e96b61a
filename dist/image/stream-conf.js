import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import * as z from '../vendor/zod.js'
import { isDigest, sha256 } from '../util/digest.js'
import { UserError } from '../util/errors.js'
import { count } from '../util/text.js'

import { openTar } from './archive-file.js'
import { membersOf } from './archive-members.js'
import { readDockerArchive } from './docker-archive.js'
import { listOf, longestDocument, mostLayers, parseDocument, quoted, toPlatform } from './document.js'
import { fileLayer } from './file-layer.js'
import { writerVersion } from './model.js'
import { parseOrdered, pythonJson, pythonList } from './python.js'
import { pythonDate } from './python-date.js'
import { realFile } from './real-file.js'
import { knownPaths } from './store-paths.js'

const number = z.union([z.string().regex(/^[0-9]{1,10}$/, 'is not a number'), z.int().nonnegative()])

const confSchema = z.object({
  architecture: z.string().min(1),
  variant: z.string().nullish(),
  config: z.looseObject({ Env: listOf(z.string()).optional() }),
  from_image: z.string().nullable().default(null),
  store_layers: z.array(listOf(z.string())).max(mostLayers),
  customisation_layer: z.string(),
  created: z.string(),
  mtime: z.string().optional(),
  uid: number.default(0),
  gid: number.default(0),
  uname: z.string().default('root'),
  gname: z.string().default('root'),
})

const baseSchema = z.object({
  config: z.object({ Env: listOf(z.string()).nullish() }).nullish(),
})

/** Whether some JSON is what nixpkgs' streamLayeredImage makes its image from. */
export function isStreamConf(document) {
  return 'store_layers' in document && 'customisation_layer' in document
}

/**
 * Reads the `…-conf.json` of nixpkgs' streamLayeredImage. The image is what its script writes, in the versions since
 * confs say who owns the files and of when they are; what a conf of before does not say is as it was then.
 * https://github.com/NixOS/nixpkgs/blob/master/pkgs/build-support/docker/stream_layered_image.py
 * @param path in the store; all that the conf names has to be there too
 * @throws UserError when the conf or what it names is not as it should be
 */
export async function readStreamConf(path, bytes, options) {
  const unusable = what =>
    new UserError(`The image ${path} cannot be used: ${what}.`, {
      advice: 'It should be what streamLayeredImage of nixpkgs makes.',
    })
  const conf = parseDocument(bytes, confSchema, problem => unusable(problem))
  const date = (key, text) => {
    const result = pythonDate(text, options.now)
    if (result === undefined) throw unusable(`${key}: ${quoted(text)} is not a date with its time zone`)
    return result
  }
  const created = date('created', conf.created)
  const { seconds: mtime } = conf.mtime === undefined ? created : date('mtime', conf.mtime)
  const store = dirname(path)

  const owner = { uid: Number(conf.uid), gid: Number(conf.gid), uname: conf.uname, gname: conf.gname }
  const storeLayers = conf.store_layers.map(paths => Object.freeze({ paths, mtime, ...owner }))
  const known = await knownPaths(conf.store_layers.flat(), store, options.pathInfo)
  const middle = storeLayers.map((layer, i) =>
    layerOfPaths(layer, known, what => unusable(`store_layers.${i}: ${what}`)),
  )
  const last = await customisation(conf.customisation_layer, store, what =>
    unusable(`customisation_layer: ${what}`),
  )

  const base =
    conf.from_image === null
      ? undefined
      : await readBase(conf.from_image, store, options.scratch, what => unusable(`from_image: ${what}`))
  try {
    const layers = [...(base?.archive.layers ?? []), ...middle, last]
    if (layers.length > mostLayers) throw unusable(`it has ${count(layers.length, 'layer')}`)
    const document = ordered(bytes, unusable)
    const settings = withEnv(document.get('config'), base?.env)
    const histories = [
      ...(base?.archive.names.map(name => [name]) ?? []),
      ...conf.store_layers,
      [conf.customisation_layer],
    ]
    const config = diffIds =>
      new Map([
        ['created', created.iso],
        ['architecture', conf.architecture],
        ...(conf.variant ? [['variant', conf.variant]] : []),
        ['os', 'linux'],
        ['config', settings],
        [
          'rootfs',
          new Map([
            ['diff_ids', diffIds],
            ['type', 'layers'],
          ]),
        ],
        [
          'history',
          histories.map(
            paths =>
              new Map([
                ['created', created.iso],
                ['comment', `store paths: ${pythonList(paths)}`],
              ]),
          ),
        ],
      ])
    return Object.freeze({
      kind: 'stream',
      config: diffIds => Buffer.from(pythonJson(config(diffIds))),
      platform: toPlatform({ ...conf, os: 'linux' }),
      layers: Object.freeze(layers),
      close: async () => await base?.archive.file.close(),
    })
  } catch (error) {
    await base?.archive.file.close()
    throw error
  }
}

function ordered(bytes, fail) {
  try {
    return parseOrdered(bytes.toString('utf8'), longestDocument)
  } catch {
    throw fail('it is nested too deeply, or too long')
  }
}

/** What decides the layer's bytes is in its key: the contents of a store path are what its NAR hash says. */
function layerOfPaths(layer, known, fail) {
  const { paths, mtime, uid, gid, uname, gname } = layer
  const infos = paths.map(path => {
    const info = known.get(path)
    if (info === undefined) throw fail(`${quoted(path)} is not a path in the store`)
    return info
  })
  const contents = paths.map((path, i) => [path, infos[i]?.narHash])
  const text = JSON.stringify([writerVersion, contents, mtime, uid, gid, uname, gname])
  return Object.freeze({
    key: `store-${sha256(text).slice('sha256:'.length)}`,
    diffId: undefined,
    size: infos.reduce((sum, { narSize }) => sum + narSize, 0),
    source: Object.freeze({ kind: 'store', layer }),
  })
}

/** What has its permissions and owners from the build, and so comes as an archive with its digest. */
async function customisation(folder, store, fail) {
  const tar = await realFile(join(folder, 'layer.tar'), store, fail)
  const checksum = await realFile(join(folder, 'checksum'), store, fail)
  const diffId = checksum.size > 100 ? '' : `sha256:${(await readFile(checksum.path, 'utf8')).trim()}`
  if (!isDigest(diffId)) throw fail('its checksum is not a sha256 digest')
  return fileLayer(diffId, { file: tar.path, offset: 0, length: tar.size, packing: undefined })
}

async function readBase(name, store, scratch, fail) {
  const { path } = await realFile(name, store, fail)
  const file = await openTar(path, scratch)
  if (file === undefined) throw fail(`${quoted(name)} is not a docker archive`)
  try {
    const archive = await readDockerArchive(file, await membersOf(file))
    const { config } = parseDocument(archive.config, baseSchema, what => fail(`config of ${path}: ${what}`))
    return { archive, env: config?.Env ?? [] }
  } catch (error) {
    await file.close()
    throw error
  }
}

/** Of a base image's config only the environment is kept; of a variable that comes twice the last value. */
function withEnv(config, base) {
  if (base === undefined) return config
  const own = config.get('Env') ?? []
  const variables = new Map([...base, ...own].map(entry => [entry.split('=', 1)[0] ?? '', entry]))
  return variables.size === 0 ? config : new Map([...config, ['Env', [...variables.values()]]])
}
