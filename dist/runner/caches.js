import * as z from '../vendor/zod.js'
import { apiHeaders } from './github-api.js'

/** Milliseconds. Nothing waits for what is deleted. */
const timeout = 20_000

const page = 100

const listSchema = z.object({
  total_count: z.number(),
  actions_caches: z.array(
    z
      .object({
        id: z.number().int(),
        key: z.string(),
        ref: z.string(),
        version: z.string(),
        created_at: z.iso.datetime({ offset: true }),
        size_in_bytes: z.number(),
      })
      .transform(({ created_at, size_in_bytes, ...entry }) => {
        return { ...entry, created: Math.floor(Date.parse(created_at) / 1000), size: size_in_bytes }
      }),
  ),
})

/**
 * The entries of a repository's Actions cache, by the REST API. Two requests are not worth a library: @actions/github
 * brings 200 KB of one, and asks for a token by its environment.
 * https://docs.github.com/en/rest/actions/cache
 */
export function actionsCaches({ apiUrl, repository, token, send }) {
  const request = async (method, path) => {
    const { status, body } = await send({
      method,
      url: new URL(`${apiUrl}/repos/${repository}/actions/caches${path}`),
      headers: apiHeaders(token),
      signal: AbortSignal.timeout(timeout),
    })
    const text = body.toString('utf8')
    // Too many requests are 403 as well. A repository that the token may not see is 404.
    const denied = (status === 403 && !/rate limit/i.test(text)) || status === 401
    return { status, text, denied }
  }
  return {
    /** @param prefix that the keys begin with */
    async list(prefix, { order, ref }) {
      const query = new URLSearchParams({
        ...{ key: prefix, sort: 'created_at', direction: order === 'newest first' ? 'desc' : 'asc' },
        ...{ per_page: String(page), ...(ref === undefined ? {} : { ref }) },
      })
      const { status, text, denied } = await request('GET', `?${query}`)
      if (denied || status === 404) return 'denied'
      if (status !== 200) throw new Error(`the GitHub API answered ${status}`)
      const { total_count, actions_caches } = listSchema.parse(JSON.parse(text))
      return { entries: actions_caches, complete: total_count <= actions_caches.length }
    },
    async delete(id) {
      const { status, denied } = await request('DELETE', `/${id}`)
      if (denied) return 'denied'
      if (status === 404) return 'gone'
      if (status !== 204 && status !== 200) throw new Error(`the GitHub API answered ${status}`)
      return 'deleted'
    },
  }
}
