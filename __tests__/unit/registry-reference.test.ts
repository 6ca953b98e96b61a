import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { isTag, parseName } from '../../src/registry/reference.ts'
import { UserError } from '../../src/util/errors.ts'

test('names are read as docker push reads them', () => {
  const hub = 'https://registry-1.docker.io'
  for (const [text, name, origin, path] of [
    ['ghcr.io/Owner/App', 'ghcr.io/owner/app', 'https://ghcr.io', 'owner/app'],
    [' GHCR.IO/owner/a/b/c ', 'ghcr.io/owner/a/b/c', 'https://ghcr.io', 'owner/a/b/c'],
    ['localhost/x', 'localhost/x', 'http://localhost', 'x'],
    ['localhost:5000/x', 'localhost:5000/x', 'http://localhost:5000', 'x'],
    ['127.0.0.1:5000/x', '127.0.0.1:5000/x', 'http://127.0.0.1:5000', 'x'],
    ['127.9.8.7/x', '127.9.8.7/x', 'http://127.9.8.7', 'x'],
    ['[::1]:5000/x', '[::1]:5000/x', 'http://[::1]:5000', 'x'],
    ['[2001:db8::1]/x', '[2001:db8::1]/x', 'https://[2001:db8::1]', 'x'],
    ['128.0.0.1:5000/x', '128.0.0.1:5000/x', 'https://128.0.0.1:5000', 'x'],
    ['127.0.0.1.example.com/x', '127.0.0.1.example.com/x', 'https://127.0.0.1.example.com', 'x'],
    ['localhost.example.com/x', 'localhost.example.com/x', 'https://localhost.example.com', 'x'],
    ['registry:5000/x', 'registry:5000/x', 'https://registry:5000', 'x'],
    ['ghcr.io:443/o/a', 'ghcr.io:443/o/a', 'https://ghcr.io', 'o/a'],
    ['nginx', 'docker.io/library/nginx', hub, 'library/nginx'],
    ['Owner/app', 'docker.io/owner/app', hub, 'owner/app'],
    ['docker.io/nginx', 'docker.io/library/nginx', hub, 'library/nginx'],
    ['index.docker.io/owner/app', 'docker.io/owner/app', hub, 'owner/app'],
    ['registry-1.docker.io/owner/app', 'registry-1.docker.io/owner/app', hub, 'owner/app'],
    ['example.com/a--b/c__d.e', 'example.com/a--b/c__d.e', 'https://example.com', 'a--b/c__d.e'],
  ] as const) {
    const { host: _, ...rest } = parseName(text)
    assert.deepEqual(rest, { name, origin, path }, text)
  }
})

test('what no registry takes is said to be unusable, and why', () => {
  for (const [text, why] of [
    ['', /path/],
    ['ghcr.io/', /path/],
    ['/app', /path/],
    ['ghcr.io//app', /path/],
    ['https://ghcr.io/o/a', /scheme/],
    ['ghcr.io/o/a:latest', /tag/],
    ['ghcr.io/o/a@sha256:00', /digest/],
    ['user:secret@ghcr.io/o/a', /digest/],
    ['ghcr.io/o/-a', /path/],
    ['ghcr.io/o/a___b', /path/],
    ['ghcr.io/o/ä', /path/],
    ['ghcr.io/o/a b', /path/],
    ['gh cr.io/o/a', /host/],
    ['ghcr.io:99999/o/a', /host/],
    ['ghcr.io:/o/a', /host/],
    ['-a.io/o/a', /host/],
    ['[::1/o', /host/],
    ['127.1/x', /127\.0\.0\.1/],
    ['0x7f.0.0.1/x', /127\.0\.0\.1/],
    [`ghcr.io/${'a'.repeat(250)}`, /255/],
  ] as const) {
    assert.throws(
      () => parseName(text),
      (error: Error) => error instanceof UserError && why.test(error.message),
      text,
    )
  }
})

const hostText = fc.oneof(
  fc.domain(),
  fc.ipV4(),
  fc.constantFrom('localhost', '[::1]', 'ghcr.io', '127.1', '0177.0.0.1', '2130706433'),
)
const anyName = fc.oneof(
  fc.string(),
  fc
    .tuple(hostText, fc.option(fc.nat(70000)), fc.stringMatching(/^[a-zA-Z0-9._/-]{0,40}$/))
    .map(([host, port, path]) => `${host}${port === null ? '' : `:${port}`}/${path}`),
)

test('whatever the text, a name either is unusable or reads back as itself and goes where it says', () => {
  fc.assert(
    fc.property(anyName, text => {
      let found: ReturnType<typeof parseName>
      try {
        found = parseName(text)
      } catch (error) {
        assert.ok(error instanceof UserError)
        return
      }
      assert.deepEqual(parseName(found.name), found)
      assert.equal(found.name, found.name.toLowerCase())
      assert.equal(found.name, `${found.host}/${found.path}`)
      const origin = new URL(found.origin)
      assert.equal(origin.origin, found.origin)
      const loopback = /^(localhost|\[::1\]|127\.\d+\.\d+\.\d+)$/.test(origin.hostname)
      assert.equal(origin.protocol, loopback ? 'http:' : 'https:')
      const api = found.host === 'docker.io' ? 'registry-1.docker.io' : found.host
      assert.equal(origin.hostname, api.replace(/:\d+$/, ''))
      assert.equal(new URL(`/v2/${found.path}/tags/list`, origin).pathname, `/v2/${found.path}/tags/list`)
    }),
    { numRuns: 2000 },
  )
})

test('tags', () => {
  for (const tag of ['latest', 'v1.2.3', '_a', 'A-b_c.d', 'a'.repeat(128)]) assert.ok(isTag(tag), tag)
  for (const tag of ['', '.a', '-a', 'a b', 'a/b', 'a+b', 'ä', 'a\n', 'a'.repeat(129)])
    assert.ok(!isTag(tag), tag)
})
