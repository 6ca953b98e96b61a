import { dirname } from 'node:path'
import * as z from '../vendor/zod.js'

import { UserError } from '../util/errors.js'

import { digestSchema, listOf, mostLayers, parseDocument, quoted, toPlatform } from './document.js'
import { fileLayer } from './file-layer.js'
import { goJson, goMap, goStruct, goTime, unlessEmpty } from './go-json.js'
import { layerTypeOf } from './media-types.js'

import { realFile } from './real-file.js'
import { knownPaths } from './store-paths.js'

const timeSchema = z.string().transform((text, context) => {
  const result = goTime(text)
  if (result === undefined) context.addIssue('is not a time as RFC 3339 has it')
  return result ?? ''
})

const strings = listOf(z.string()).nullish()

const imageConfigSchema = z.object({
  User: z.string().nullish(),
  ExposedPorts: z.record(z.string(), z.unknown()).nullish(),
  Env: strings,
  Entrypoint: strings,
  Cmd: strings,
  Volumes: z.record(z.string(), z.unknown()).nullish(),
  WorkingDir: z.string().nullish(),
  Labels: z.record(z.string(), z.string()).nullish(),
  StopSignal: z.string().nullish(),
  ArgsEscaped: z.boolean().nullish(),
})

const historySchema = z.object({
  created: timeSchema.nullish(),
  created_by: z.string().nullish(),
  author: z.string().nullish(),
  comment: z.string().nullish(),
  empty_layer: z.boolean().nullish(),
})

const permSchema = z.object({
  regex: z.string().default(''),
  mode: z.string().default(''),
  uid: z.int().default(0),
  gid: z.int().default(0),
  uname: z.string().default(''),
  gname: z.string().default(''),
})

const pathSchema = z.object({
  path: z.string(),
  options: z
    .object({
      rewrite: z.object({ regex: z.string().default(''), repl: z.string().default('') }).optional(),
      perms: listOf(permSchema).nullish(),
    })
    .nullish(),
})

const layerSchema = z.object({
  digest: digestSchema,
  size: z.int().nonnegative().default(0),
  diff_ids: digestSchema,
  paths: listOf(pathSchema).nullish(),
  mediatype: z.string(),
  'layer-path': z.string().nullish(),
  History: historySchema.default({}),
})

const imageSchema = z.object({
  version: z.literal(1),
  'image-config': imageConfigSchema,
  layers: z.array(layerSchema).max(mostLayers).nullable(),
  arch: z.string().min(1),
  created: timeSchema.nullish(),
})

/** Whether some JSON is what nix2container makes its images from. */
export function isNix2Container(document) {
  return 'image-config' in document && 'layers' in document
}

/**
 * Reads the JSON that nix2container makes. The config is the one that its transport in skopeo writes:
 * https://github.com/nlewo/nix2container/blob/master/nix/image.go
 * @param path in the store; all that the JSON names has to be there too
 * @throws UserError when the JSON or what it names is not as it should be
 */
export async function readNix2Container(path, bytes, { pathInfo }) {
  const unusable = what =>
    new UserError(`The image ${path} cannot be used: ${what}.`, {
      advice: 'It should be what buildImage of nix2container makes, in the version that this action knows.',
    })
  const image = parseDocument(bytes, imageSchema, unusable)
  const described = image.layers ?? []
  const archived = described.flatMap(layer => (layer['layer-path'] ? [] : (layer.paths ?? [])))
  const valid = await knownPaths(
    archived.map(({ path }) => path),
    dirname(path),
    pathInfo,
  )
  const layers = []
  for (const [i, layer] of described.entries()) {
    const fail = what => unusable(`layers.${i}: ${what}`)
    layers.push(layer['layer-path'] ? await layerOfFile(layer, path, fail) : layerOfPaths(layer, valid, fail))
  }
  const histories = described.map(layer => historyOf(layer.History))
  const config = diffIds =>
    goStruct({
      created: image.created ?? undefined,
      architecture: image.arch,
      os: 'linux',
      config: configOf(image['image-config']),
      rootfs: goStruct({
        type: diffIds.length === 0 ? '' : 'layers',
        diff_ids: diffIds.length === 0 ? null : diffIds,
      }),
      history: unlessEmpty(histories),
    })
  return Object.freeze({
    kind: 'nix2container',
    config: diffIds => Buffer.from(goJson(config(diffIds))),
    platform: toPlatform({ os: 'linux', architecture: image.arch }),
    layers: Object.freeze(layers),
    close: async () => {},
  })
}

/** A layer that is there as a file: of a base image, packed as the registry had it, or of what cannot be built twice. */
async function layerOfFile(layer, image, fail) {
  const { digest, diff_ids: diffId, mediatype } = layer
  const type = layerTypeOf(mediatype)
  if (type === undefined) throw fail(`its media type is ${quoted(mediatype)}`)
  const { path, size } = await realFile(layer['layer-path'] ?? '', dirname(image), fail)
  // Of base images the size is not known there, and 0.
  if (layer.size !== 0 && layer.size !== size)
    throw fail(`its file has ${size} bytes and should have ${layer.size}`)
  const { packing, mediaType } = type
  if (packing === undefined && digest !== diffId) throw fail('its digest is not its diffID')
  const blob = packing === undefined ? undefined : { mediaType, digest, size }
  return fileLayer(diffId, { file: path, offset: 0, length: size, packing }, blob)
}

/** A layer that is known before it is archived: nix2container has computed its digest when it was built. */
function layerOfPaths(layer, valid, fail) {
  const { digest, diff_ids: diffId, size } = layer
  if (digest !== diffId) throw fail('its digest is not its diffID')
  const paths = (layer.paths ?? []).map(({ path, options }) => {
    if (!valid.has(path)) throw fail(`${quoted(path)} is not a path in the store`)
    if (!options) return { path }
    const { rewrite = { regex: '', repl: '' }, perms } = options
    return { path, options: { rewrite, perms: perms ?? [] } }
  })
  return Object.freeze({
    ...{ key: diffId, diffId, size },
    source: Object.freeze({ kind: 'nix2container', paths: Object.freeze(paths) }),
  })
}

/** https://github.com/opencontainers/image-spec/blob/v1.1.1/specs-go/v1/config.go */
function configOf(config) {
  const set = map => {
    const members = unlessEmpty(map)
    return members && goMap(members, () => goStruct({}))
  }
  const labels = unlessEmpty(config.Labels)
  return goStruct({
    User: unlessEmpty(config.User),
    ExposedPorts: set(config.ExposedPorts),
    Env: unlessEmpty(config.Env),
    Entrypoint: unlessEmpty(config.Entrypoint),
    Cmd: unlessEmpty(config.Cmd),
    Volumes: set(config.Volumes),
    WorkingDir: unlessEmpty(config.WorkingDir),
    Labels: labels && goMap(labels, label => label),
    StopSignal: unlessEmpty(config.StopSignal),
    ArgsEscaped: unlessEmpty(config.ArgsEscaped),
  })
}

function historyOf(history) {
  return goStruct({
    created: history.created ?? undefined,
    created_by: unlessEmpty(history.created_by),
    author: unlessEmpty(history.author),
    comment: unlessEmpty(history.comment),
    empty_layer: unlessEmpty(history.empty_layer),
  })
}
