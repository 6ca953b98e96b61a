import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import { untrusted } from '../../src/nix/install.ts'
import { renderNetrc, splitLogin } from '../../src/nix/netrc.ts'
import { answering } from '../../src/nix/substituters.ts'
import { UserError } from '../../src/util/errors.ts'
import { silent } from '../../src/util/log.ts'

test('a login is taken out of an HTTP URL and nothing else is changed', () => {
  assert.deepEqual(splitLogin('https://u:p%40x@h.example:8443/c?priority=3'), {
    url: 'https://h.example:8443/c?priority=3',
    login: { host: 'h.example', user: 'u', password: 'p@x' },
  })
  for (const url of [
    'https://h/c',
    's3://bucket?region=x',
    'ssh-ng://user@h',
    'file:///a@b',
    'https://h/a@b:c',
  ])
    assert.deepEqual(splitLogin(url), { url })
})

test('a login that cannot be kept safe is refused, without a word of it', () => {
  for (const url of [
    'https://token-secret@h',
    'https://:secret@h',
    'https://u:sec%20ret@h',
    'https://u:"secret@h',
    'ssh-ng://u:secret@h',
    'https://u:%23secret@h',
    'https://u:ab/secret=@h',
    'https://u:ab?secret@h',
    'HTTPS://u:ab#secret@h',
    'https://u/secret:x@h',
    'https://u:ab@c/secret@h',
    'ssh-ng://u:ab/secret@h',
  ])
    assert.throws(
      () => splitLogin(url),
      error => error instanceof UserError && !/secret|sec ret/.test(error.message + error.advice),
      url,
    )
})

test('a login with a character that ends it is told how to write that character', () => {
  assert.throws(() => splitLogin('https://ci:ab/cd=@cache.example'), {
    name: 'UserError',
    advice: /\/ as %2F, \? as %3F, # as %23/,
  })
  assert.equal(splitLogin('https://ci:ab%2Fcd=@cache.example').login?.password, 'ab/cd=')
  for (const url of ['http://h:8080/c', 'https://h/a:b', 's3://b?endpoint=http://h:1'])
    assert.deepEqual(splitLogin(url), { url })
})

test('a login whose password was not given is none, and its cache is named', () => {
  for (const userinfo of ['', ':', 'ci:'])
    assert.deepEqual(splitLogin(`https://${userinfo}@h.example/c`), {
      url: 'https://h.example/c',
      empty: true,
    })
})

test('any login comes out of its URL as it went in', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[!-~]{1,20}$/), fc.stringMatching(/^[!-~]{1,20}$/), (user, password) => {
      const url = `https://${encodeURIComponent(user)}:${encodeURIComponent(password)}@h/c`
      try {
        assert.deepEqual(splitLogin(url), { url: 'https://h/c', login: { host: 'h', user, password } })
      } catch (error) {
        assert.ok(error instanceof UserError, String(error))
        const first = `${user[0]}${password[0]}`
        assert.ok(/["\\]/.test(user + password) || first.includes('#'), `${user} ${password}`)
      }
    }),
  )
})

test('netrc: ours first, then what the machine has', () => {
  const login = { host: 'h', user: 'u', password: 'p' }
  assert.equal(
    renderNetrc([login], 'machine x login y password z\n'),
    'machine h login u password p\nmachine x login y password z\n',
  )
})

test('a daemon that does not trust the user: what is not used for it is named', () => {
  const user = { name: 'runner' }
  assert.match(untrusted(user), /'runner', so nothing can be taken from the cache\. Add/)
  assert.match(
    untrusted(user, ['https://a', 'https://b']),
    /from the cache and `substituters` is not used \(https:\/\/a https:\/\/b\)\. Add/,
  )
})

async function listen(server: {
  listen(port: number, host: string, then: () => void): unknown
  address(): unknown
}) {
  await new Promise<void>(done => server.listen(0, '127.0.0.1', done))
  return (server.address() as AddressInfo).port
}

test('who answers anything is there; who does not is left out with a warning', async () => {
  const asked: [string | undefined, string | undefined][] = []
  const broken = createServer((request, response) => {
    asked.push([request.url, request.headers.authorization])
    response.writeHead(500).end()
  })
  const sockets: { destroy(): void }[] = []
  const mute = createTcpServer(socket => sockets.push(socket))
  // Closes what is no TLS it knows: as with a certificate that is not known, Nix is to judge.
  const noTls = createTcpServer(socket => socket.end('this is no TLS\n'))
  const [a, b, c] = [await listen(broken), await listen(mute), await listen(noTls)]
  const warnings: string[] = []
  const urls = [
    `http://127.0.0.1:${a}/sub/?priority=1`,
    `http://127.0.0.1:${b}`,
    'http://127.0.0.1:1',
    `https://127.0.0.1:${c}`,
    's3://bucket',
    'ssh-ng://nobody',
  ]
  const options = {
    logins: [{ host: '127.0.0.1', user: 'u', password: 'p' }],
    mayHaveLogin: () => assert.fail('no cache wanted a login'),
    log: { ...silent, warning: (text: string) => void warnings.push(text) },
    signal: new AbortController().signal,
    patience: 3000,
  }
  try {
    const used = await answering(urls, { ...options, env: {} })
    assert.deepEqual(used, [urls[0], ...urls.slice(3)])
    assert.deepEqual(asked, [['/sub/nix-cache-info', `Basic ${Buffer.from('u:p').toString('base64')}`]])
    assert.deepEqual(
      warnings.toSorted(),
      [
        `The binary cache http://127.0.0.1:1 cannot be reached (ECONNREFUSED): this job goes on without it.`,
        `The binary cache http://127.0.0.1:${b} cannot be reached (no answer): this job goes on without it.`,
      ].toSorted(),
    )
    // Behind a proxy Nix reaches more than we do.
    assert.deepEqual(await answering(urls, { ...options, env: { https_proxy: 'http://p:1' } }), urls)
    const stopped = answering(urls.slice(1, 2), { ...options, env: {}, signal: AbortSignal.abort() })
    await assert.rejects(stopped, { name: 'AbortError' })
  } finally {
    for (const socket of sockets) socket.destroy()
    for (const server of [broken, mute, noTls]) server.close()
    broken.closeAllConnections()
  }
})

test('a cache that wants a login: said only where Nix cannot have one, or where it did not take it', async () => {
  const locked = createServer((_, response) => void response.writeHead(401).end())
  const url = `http://127.0.0.1:${await listen(locked)}`
  const said = async (logins: Parameters<typeof answering>[1]['logins'], machine: boolean) => {
    const warnings: string[] = []
    const log = { ...silent, warning: (text: string) => void warnings.push(text) }
    const { signal } = new AbortController()
    const options = { logins, mayHaveLogin: async () => machine, env: {}, log, signal }
    assert.deepEqual(await answering([url], options), [url])
    return warnings
  }
  const login = { host: '127.0.0.1', user: 'u', password: 'hunter2' }
  try {
    assert.deepEqual(await said([], true), [])
    assert.deepEqual(await said([], false), [
      `The binary cache ${url} answers 401: it wants a login, as https://user:password@host.`,
    ])
    for (const machine of [true, false])
      assert.deepEqual(await said([login], machine), [
        `The binary cache ${url} answers 401: it does not take the login in substituters.`,
      ])
  } finally {
    locked.close()
  }
})
