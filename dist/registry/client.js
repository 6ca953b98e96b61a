import { isDigest, sha256 } from '../util/digest.js'
import { messageOf, UserError } from '../util/errors.js'

import { realSleep } from '../util/sleep.js'
import { withAuth } from './auth.js'
import { answerFailure, BlobUnknown, connectionFailure, loginFailure } from './failure.js'

import { retrier } from './retry.js'
import { bodyOf, httpSender, nextPage, resolveLocation, withRedirects } from './transport.js'

/** Of a list of referrers: whoever may push can make it as long as he likes. */
const mostPages = 100
const indexType = 'application/vnd.oci.image.index.v1+json'
const manifestTypes = [
  'application/vnd.oci.image.manifest.v1+json',
  indexType,
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
].join(', ')

/**
 * @param options.credentials undefined for none
 * @param options.env for HTTPS_PROXY and NO_PROXY
 * @param options.now milliseconds since the epoch
 * @param options.sleep waits between repetitions
 */
export function registryClient(options) {
  const { repository, credentials, log, now = Date.now, sleep = realSleep } = options
  const subject = { repository, credentials }
  const base = new URL(`/v2/${repository.path}/`, repository.origin)
  const retry = retrier({ of: 'The registry', sleep, now, log })
  const sender = httpSender(options.env, options.timeouts)
  const sendFor = (...scopes) =>
    withRedirects(
      withAuth(sender, {
        ...{ origin: repository.origin, credentials, now },
        scopes: [`repository:${repository.path}:pull,push`, ...scopes],
        refused: response => loginFailure(response, subject),
      }),
    )
  const once = sendFor()
  /** By the path of the repository that blobs are mounted from: its token may read that one too. */
  const mounters = new Map()

  /** Makes attempts until one succeeds or the failure is final; what cannot be answered is said as `what`. */
  const attempt = async (what, work, retryOptions) => {
    try {
      return await retry(work, retryOptions)
    } catch (error) {
      throw connectionFailure(error, what, subject)
    }
  }
  const send = async (what, request) => {
    const response = await attempt(what, () => once(request), { signal: request.signal })
    // Without a query: in a Location it may be what gives access.
    log.debug(`${request.method} ${response.url.origin}${response.url.pathname}: ${response.status}`)
    return response
  }
  const manifestUrl = reference => new URL(`manifests/${reference}`, base)

  const client = {
    repository,

    async headManifest(reference, signal) {
      const what = `the look-up of ${reference}`
      const response = await send(what, {
        method: 'HEAD',
        url: manifestUrl(reference),
        headers: { accept: manifestTypes },
        signal,
      })
      if (response.status === 404) return undefined
      const digest = header(response, 'docker-content-digest')
      const size = header(response, 'content-length')
      const mediaType = mediaTypeOf(response)
      // A refusal of HEAD does not say why, and some registries leave out what makes a descriptor: GET has it. An
      // answer with a body is the token server's.
      if (![200, 401, 403, 405].includes(response.status) || response.body.length > 0)
        throw answerFailure(response, what, subject)
      if (response.status !== 200 || !isDigest(digest) || !/^\d+$/.test(size) || mediaType === '') {
        return (await client.getManifest(reference, signal))?.descriptor
      }
      return checked(reference, { mediaType, digest, size: Number(size) })
    },

    async getManifest(reference, signal) {
      const what = `the manifest ${reference}`
      const response = await send(what, {
        method: 'GET',
        url: manifestUrl(reference),
        headers: { accept: manifestTypes },
        signal,
      })
      if (response.status === 404) return undefined
      if (response.status !== 200) throw answerFailure(response, what, subject)
      const { body } = response
      const digest = sha256(body)
      expectDigest(response, digest, what)
      return {
        descriptor: checked(reference, {
          mediaType: mediaTypeOf(response),
          digest,
          size: body.length,
        }),
        bytes: body,
      }
    },

    async putManifest(reference, bytes, mediaType, signal) {
      const what = `the manifest as ${reference}`
      const response = await send(what, {
        method: 'PUT',
        url: manifestUrl(reference),
        headers: { 'content-type': mediaType },
        body: bodyOf(bytes),
        signal,
      })
      if (response.status !== 201) {
        const failure = answerFailure(response, what, subject)
        if (!/blob[ _]unknown|unknown blob/i.test(response.body.toString())) throw failure
        throw new BlobUnknown(failure.message, { advice: 'Run the job again.' })
      }
      expectDigest(response, sha256(bytes), what)
      return header(response, 'oci-subject') || undefined
    },

    async getReferrers(digest, signal) {
      const what = `the referrers of ${digest}`
      const pages = []
      let url = new URL(`referrers/${digest}`, base)
      while (url !== undefined) {
        if (pages.length === mostPages) {
          throw new UserError(`${repository.name}: the list of ${what} has more than ${mostPages} pages.`, {
            advice:
              'Whoever may push can attach to an image. Remove what nobody needs, or publish another image.',
          })
        }
        const response = await send(what, {
          ...{ method: 'GET', url, signal },
          headers: { accept: indexType },
        })
        if (response.status !== 200 || mediaTypeOf(response) !== indexType) {
          // Registries without it answer with whatever they have for an unknown path, also behind a redirect.
          if (pages.length === 0) return undefined
          if (response.status !== 200) throw answerFailure(response, what, subject)
          throw new UserError(
            `${repository.name}: ${response.url.host} breaks off the list of ${what}: page ${pages.length + 1} is no index.`,
            { advice: 'Run the job again.' },
          )
        }
        pages.push(response.body)
        url = nextPage(response)
      }
      return pages
    },

    async hasBlob({ digest, size }, signal) {
      const what = `the look-up of ${digest}`
      const response = await send(what, { method: 'HEAD', url: new URL(`blobs/${digest}`, base), signal })
      if (response.status === 404) return false
      if (response.status !== 200) throw answerFailure(response, what, subject)
      expectDigest(response, digest, what)
      const length = header(response, 'content-length')
      return length === '' || Number(length) === size
    },

    async mountBlob({ digest }, from, signal) {
      if (!from.startsWith(`${repository.host}/`)) return false
      const path = from.slice(repository.host.length + 1)
      const mount = mounters.get(path) ?? sendFor(`repository:${path}:pull`)
      mounters.set(path, mount)
      const url = new URL('blobs/uploads/', base)
      url.search = `?${new URLSearchParams({ mount: digest, from: path })}`
      try {
        const response = await mount({ method: 'POST', url, signal })
        log.debug(`POST ${url.pathname}, mount ${digest} from ${path}: ${response.status}`)
        // 202 begins an upload: what it would need is not made yet, and the registry forgets it.
        return response.status === 201
      } catch (error) {
        // It would only have saved time: whatever is amiss comes up again where it matters.
        signal?.throwIfAborted()
        log.debug(`mount ${digest} from ${path}: ${messageOf(error)}`)
        return false
      }
    },

    async uploadBlob({ digest, size, open }, signal) {
      const what = `the upload of ${digest}`
      let sending = false
      // A session may be spent by a PUT that failed, so each repetition begins with a new one.
      const response = await attempt(
        what,
        async () => {
          sending = false
          const begun = await once({ method: 'POST', url: new URL('blobs/uploads/', base), signal })
          if (begun.status !== 202) return begun
          sending = true
          return once({
            method: 'PUT',
            url: sessionUrl(begun, digest),
            headers: { 'content-type': 'application/octet-stream' },
            body: { size, open },
            signal,
          })
        },
        // GHCR loses sessions under load: the PUT is then answered as if there had been none.
        { signal, also: ({ status }) => sending && status === 404 },
      )
      log.debug(`${sending ? 'PUT' : 'POST'} blob ${digest}, ${size} bytes: ${response.status}`)
      if (!sending || response.status !== 201) throw answerFailure(response, what, subject)
      expectDigest(response, digest, what)
    },
  }
  return client

  /** A digest resolves to itself or to nothing. */
  function checked(reference, descriptor) {
    if (isDigest(reference) && descriptor.digest !== reference)
      throw wrongDigest(reference, descriptor.digest)
    return descriptor
  }

  function expectDigest(response, digest, what) {
    const said = header(response, 'docker-content-digest')
    if (said !== '' && said !== digest) throw wrongDigest(what, said, digest)
  }

  function wrongDigest(what, said, digest) {
    return new UserError(
      `${repository.name}: ${repository.host} gives ${what} the digest ${said}${digest ? `, not ${digest}` : ''}.`,
      { advice: 'Something between this runner and the registry changes or mixes up what is sent.' },
    )
  }

  function sessionUrl(begun, digest) {
    const url = resolveLocation(begun.headers.location ?? '', begun.url)
    if (url === undefined || begun.headers.location === undefined) {
      throw new UserError(`${repository.name}: ${repository.host} does not say where a blob is to be sent.`)
    }
    // By hand: URLSearchParams would write the session's own query anew, and it may be signed.
    url.search = `${url.search === '' ? '?' : `${url.search}&`}digest=${encodeURIComponent(digest)}`
    return url
  }
}

/** Without parameters such as a charset. */
function mediaTypeOf(response) {
  return header(response, 'content-type').replace(/\s*;.*/, '')
}

function header(response, name) {
  const value = response.headers[name]
  return typeof value === 'string' ? value : ''
}
