import { UserError } from '../util/errors.js'

/**
 * Takes the login out of an HTTP URL, so that the URL can be shown, stored and given as an argument.
 * The URLs of other stores are given back as they are.
 * @throws UserError when there is a login that netrc cannot hold, or a password in a URL that is none of HTTP's. No
 *   part of the password is in its words.
 */
export function splitLogin(text) {
  const [, scheme = '', userinfo, rest = ''] =
    /^([a-z][a-z0-9+.-]*):\/\/(?:([^/?#]*)@)?(.*)$/i.exec(text) ?? []
  if (userinfo === undefined) {
    refuseBrokenLogin(text)
    return { url: text }
  }
  // It may be the end of the password.
  if (userinfo.includes(':') && rest.includes('@')) throw brokenLogin()
  const url = `${scheme}://${rest}`
  const refuse = (what, advice) => new UserError(`'${url}' ${what}.`, { advice })
  if (!/^https?$/i.test(scheme)) {
    if (!userinfo.includes(':')) return { url: text }
    throw refuse('is given with a password', 'Only https:// and http:// URLs may have one.')
  }
  if (/^([^:]*:)?$/.test(userinfo)) return { url, empty: true }
  const [, user, password] = /^([^:]*):(.*)$/s.exec(userinfo)?.map(decoded) ?? []
  if (!user || !password) {
    throw refuse('is given with a login that is not user:password', 'Write https://user:password@host.')
  }
  // Older versions of curl do not read quotes, and none reads a line break.
  if (/[\s"\\\p{Cc}]/u.test(user + password) || user.startsWith('#') || password.startsWith('#')) {
    throw refuse(
      'is given with a login that a netrc file cannot hold',
      'White space, quotes, backslashes and a # at the beginning are not possible there.',
    )
  }
  if (!URL.canParse(url)) throw refuse('is not a URL', 'Write https://user:password@host.')
  return { url, login: Object.freeze({ host: new URL(url).hostname, user, password }) }
}

/**
 * Refuses a URL that may have a login in it and yet, as URLs are read, has none: a `/`, `?` or `#` in the password ends
 * the part in which it is looked for.
 * @throws UserError without any part of the URL in it
 */
export function refuseBrokenLogin(text) {
  if (/^[a-z0-9+.-]+:\/\/[^@]*:[^@]*@/i.test(text)) throw brokenLogin()
}

function brokenLogin() {
  return new UserError('a URL, which is not repeated here, seems to hold a login that cannot be read.', {
    advice:
      'Percent-encode what is special: / as %2F, ? as %3F, # as %23, and an @ that ends no login as %40.',
  })
}

function decoded(text) {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/**
 * A netrc file. What comes first wins, so ours is before what the machine has.
 * https://everything.curl.dev/usingcurl/netrc.html
 * @param existing content of the file that this one stands in for
 */
export function renderNetrc(logins, existing) {
  const lines = logins.map(
    ({ host, user, password }) => `machine ${host} login ${user} password ${password}\n`,
  )
  return `${lines.join('')}${existing}`
}
