import { UserError } from '../util/errors.js'

/** https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests */
const pathPattern = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*$/
const tagPattern = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/
const hostPattern =
  /^(?:[a-z0-9]+(?:-+[a-z0-9]+)*(?:\.[a-z0-9]+(?:-+[a-z0-9]+)*)*|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?$/

/** What Docker, and everyone after it, writes and means where Docker Hub is concerned. */
const dockerHub = {
  host: 'docker.io',
  aliases: ['docker.io', 'index.docker.io'],
  api: 'registry-1.docker.io',
}

/**
 * Reads an image name such as `ghcr.io/Owner/App`, in any case. As with `docker push`, the first part is a host
 * when it has a dot or a port or is `localhost`; otherwise the name belongs to docker.io.
 * @throws UserError when no registry would take the name.
 */
export function parseName(text) {
  const lower = text.trim().toLowerCase()
  if (/^[a-z][a-z0-9+.-]*:\/\//.test(lower)) throw unusable(text, 'it begins with a scheme; leave that away')
  if (lower.includes('@')) throw unusable(text, 'it holds a digest; a name is a host and a path only')
  const slash = lower.indexOf('/')
  const first = lower.slice(0, Math.max(slash, 0))
  const named = slash > 0 && (/[.:[]/.test(first) || first === 'localhost')
  const host = !named || dockerHub.aliases.includes(first) ? dockerHub.host : first
  let path = named ? lower.slice(slash + 1) : lower
  if (host === dockerHub.host && path !== '' && !path.includes('/')) path = `library/${path}`

  if (/:[^/]*$/.test(path)) throw unusable(text, 'it holds a tag; tags have an input of their own')
  if (!pathPattern.test(path)) {
    throw unusable(text, 'its path may have letters, digits and single `.`, `_` or `-` between them, and `/`')
  }
  if (`${host}/${path}`.length > 255) throw unusable(text, 'it is longer than 255 characters')
  return Object.freeze({ name: `${host}/${path}`, host, origin: originOf(host, text), path })
}

function originOf(host, text) {
  if (!hostPattern.test(host)) throw unusable(text, `'${host}' is not a host`)
  const api = host === dockerHub.host ? dockerHub.api : host
  if (!URL.canParse(`https://${api}`)) throw unusable(text, `'${host}' is not a host`)
  const url = new URL(`https://${api}`)
  // `127.1` and `0x7f.0.0.1` are 127.0.0.1 to a URL: what is shown must be what is connected to.
  if (url.hostname !== api.replace(/:[0-9]+$/, ''))
    throw unusable(text, `write '${url.hostname}' for its host`)
  return isLoopback(url.hostname) ? new URL(`http://${api}`).origin : url.origin
}

/** Whether a URL's hostname is this machine: `localhost`, 127.0.0.0/8 or `[::1]`, as Docker has it. */
export function isLoopback(hostname) {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname)
}

/** Whether a registry takes `text` as a tag (OCI distribution-spec 1.1). */
export function isTag(text) {
  return tagPattern.test(text)
}

function unusable(text, why) {
  return new UserError(`'${text}' is not usable as an image name: ${why}.`, {
    advice: 'Write it as host/path, such as ghcr.io/owner/app.',
  })
}
