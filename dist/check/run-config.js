import * as z from '../vendor/zod.js'
import { listOf, parseDocument } from '../image/document.js'
import { UserError } from '../util/errors.js'

/** Engines take a single string for a list of one. */
const strings = z.union([z.string().transform(text => [text]), listOf(z.string())]).nullish()

const settingsSchema = z.preprocess(
  lowerCase,
  z
    .object({
      entrypoint: strings,
      cmd: strings,
      env: strings,
      user: z.string().nullish(),
      workingdir: z.string().nullish(),
      shell: strings,
      volumes: z.record(z.string(), z.unknown()).nullish(),
      healthcheck: z.preprocess(lowerCase, z.object({ test: strings }).nullish()),
    })
    .nullish(),
)

const configSchema = z.preprocess(lowerCase, z.object({ config: settingsSchema }))

/**
 * Reads of an image config, OCI's or Docker's, how a container starts. The names of fields are read as engines read
 * them, in whatever case they are.
 * https://github.com/opencontainers/image-spec/blob/v1.1.1/config.md,
 * https://github.com/moby/docker-image-spec/blob/v1.3.1/spec.md#container-runconfig-field-descriptions
 * @throws UserError where no engine could read it
 */
export function parseRunConfig(config) {
  const document = parseDocument(config, configSchema, problem => {
    return new UserError(`The image's config cannot be read: ${problem}.`, {
      advice:
        'Set `config` of the image as https://github.com/opencontainers/image-spec/blob/main/config.md has it.',
    })
  })
  const settings = document.config ?? {}
  const env = (settings.env ?? []).map(pair => {
    const at = pair.indexOf('=')
    return at === -1 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)]
  })
  return Object.freeze({
    entrypoint: settings.entrypoint ?? [],
    cmd: settings.cmd ?? [],
    healthcheck: healthcheckOf(settings.healthcheck?.test ?? [], settings.shell ?? ['/bin/sh', '-c']),
    env: new Map(env),
    user: settings.user ?? '',
    workingDir: settings.workingdir ?? '',
    volumes: Object.keys(settings.volumes ?? {}),
  })
}

/** @param shell runs what is one text */
function healthcheckOf([kind, ...argv], shell) {
  if (kind === 'CMD' && argv.length > 0) return { shell: false, argv }
  if (kind === 'CMD-SHELL' && argv[0] !== undefined) return { shell: true, argv: [...shell, argv[0]] }
  return undefined
}

function lowerCase(value) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key.toLowerCase(), member]))
}
