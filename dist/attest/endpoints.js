import { UserError } from '../util/errors.js'

/** The log has not taken a signature, and what is signed may be too large for it. */
export class NotLogged extends UserError {}

const publicRekor = 'https://rekor.sigstore.dev'

/** Whether it is github.com or an enterprise's part of it, and not a server of its own. */
export function isGithubCloud(serverUrl) {
  const { hostname } = new URL(serverUrl)
  return hostname === 'github.com' || hostname.endsWith('.ghe.com')
}

/**
 * Where it is told that something was signed with a key: the public log for public repositories, and what the
 * environment names.
 * @throws UserError when that is no URL
 */
export function witnessesFor({ env, serverUrl, visibility }) {
  const rekor = urlIn(env, 'SIGSTORE_REKOR_URL')
  const open = visibility === 'public' && isGithubCloud(serverUrl) ? publicRekor : undefined
  return { fulcio: undefined, rekor: rekor ?? open, tsa: urlIn(env, 'SIGSTORE_TSA_URL') }
}

/**
 * The Sigstore that a job uses: the public one, whose log everyone can read, for public repositories; GitHub's own for
 * all others, as `actions/attest` does; or the user's, where the environment names it.
 * @throws UserError where there is none, or what names it is no URL
 */
export function endpointsFor({ env, serverUrl, visibility }) {
  const fulcio = urlIn(env, 'SIGSTORE_FULCIO_URL')
  const rekor = urlIn(env, 'SIGSTORE_REKOR_URL')
  const tsa = urlIn(env, 'SIGSTORE_TSA_URL')
  if (fulcio !== undefined) {
    if (rekor === undefined && tsa === undefined)
      throw new UserError(
        'SIGSTORE_FULCIO_URL is set, and neither SIGSTORE_REKOR_URL nor SIGSTORE_TSA_URL is.',
        {
          advice:
            'A certificate lives for minutes: name a log or a timestamp authority that tells when it was used.',
        },
      )
    return { fulcio, rekor, tsa }
  }
  if (!isGithubCloud(serverUrl)) {
    throw new UserError(`There is no Sigstore that signs for jobs of ${serverUrl}.`, {
      advice:
        'Set `provenance` and `sign` to `false`, give a `sign-key`, or name a Sigstore of your own by SIGSTORE_FULCIO_URL and SIGSTORE_REKOR_URL in the `env:` of this step.',
    })
  }
  if (visibility === 'public')
    return { fulcio: 'https://fulcio.sigstore.dev', rekor: publicRekor, tsa: undefined }
  const { hostname } = new URL(serverUrl)
  const host = hostname === 'github.com' ? 'githubapp.com' : hostname
  return { fulcio: `https://fulcio.${host}`, rekor: undefined, tsa: `https://timestamp.${host}` }
}

function urlIn(env, name) {
  const text = env[name]
  if (!text) return undefined
  if (/^https?:\/\//.test(text) && URL.canParse(text)) return text.replace(/\/+$/, '')
  throw new UserError(`${name} is no http(s) URL.`, { advice: `Correct ${name} in \`env:\`.` })
}
