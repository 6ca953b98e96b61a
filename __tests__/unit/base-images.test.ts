import assert from 'node:assert/strict'
import { test } from 'node:test'
import { baseImages } from '../../src/build/base-images.ts'

const pathOf = (name: string) => `/nix/store/${'0'.repeat(32)}-${name}.drv`
const digest = (seed: string) => `sha256:${seed.repeat(64)}`

type Made = {
  readonly needs?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Of a fixed output. */
  readonly hash?: string
}

/** References of the base images of a derivation. */
function basesOf(derivations: Readonly<Record<string, Made>>, name: string): readonly string[] {
  const texts = new Map(Object.entries(derivations).map(([name, made]) => [pathOf(name), render(made)]))
  return baseImages(pathOf(name), path => texts.get(path)).map(({ reference }) => reference)
}

/** As Nix writes it. */
function render({ needs = [], env = {}, hash }: Made): string {
  const fixed = hash === undefined ? '"",""' : `"r:sha256","${hash}"`
  const inputs = needs.map(name => `("${pathOf(name)}",["out"])`)
  const told = Object.entries(env).map(([key, value]) => `("${key}",${JSON.stringify(value)})`)
  return `Derive([("out","",${fixed})],[${inputs}],[],"x86_64-linux","/bin/sh",["-c"],[${told}])`
}

/** What `pullImage` makes. */
const pulled = (reference: string): Made => ({
  hash: 'ab',
  env: { sourceURL: `docker://${reference}`, imageDigest: reference.split('@')[1] ?? '' },
  needs: ['skopeo-1.20'],
})
const debian = `docker.io/library/debian@${digest('a')}`
const alpine = `docker.io/library/alpine@${digest('b')}`

test('the base of a layered image, behind its script and its config', () => {
  const graph = {
    'app.tar.gz': { needs: ['stream-app', 'pigz-2.8'] },
    'stream-app': { needs: ['app-conf.json', 'python3-3.13'] },
    'app-conf.json': { needs: ['docker-image-debian-latest.tar', 'app-1.0'] },
    'docker-image-debian-latest.tar': pulled(debian),
    // What a program was built with is no base of the image.
    'app-1.0': { needs: ['docker-image-alpine-latest.tar'] },
    'docker-image-alpine-latest.tar': pulled(alpine),
  }
  assert.deepEqual(basesOf(graph, 'app.tar.gz'), [debian])
  assert.deepEqual(basesOf(graph, 'app-1.0'), [alpine])
})

test('that of nix2container, and those of images that are based on each other', () => {
  const graph = {
    'image-app.json': { needs: ['nix2container-debian.json', 'layers.json'] },
    'nix2container-debian.json': { needs: ['docker-image-debian'] },
    'docker-image-debian': pulled(debian),
    'layers.json': { needs: ['docker-image-upper.tar'] },
    'docker-image-upper.tar': { needs: ['image-app.json', 'docker-image-alpine'] },
    'docker-image-alpine': pulled(alpine),
  }
  assert.deepEqual(basesOf(graph, 'image-app.json'), [alpine, debian])
})

test('a base with a name of its own is found by the variable that names it', () => {
  const graph = {
    'docker-image-app.tar.gz': {
      needs: ['my-base', 'their-base'],
      env: { fromImage: '/nix/store/1-my-base' },
    },
    'my-base': pulled(debian),
    'their-base': pulled(alpine),
  }
  assert.deepEqual(basesOf(graph, 'docker-image-app.tar.gz'), [debian])
})

test('variables that come as JSON', () => {
  const { env, ...rest } = pulled(debian)
  const graph = {
    'stream-app': { needs: ['base.tar'] },
    'base.tar': { ...rest, env: { __json: JSON.stringify(env) } },
  }
  assert.deepEqual(basesOf(graph, 'stream-app'), [debian])
})

test('what is not fixed, names no digest, or cannot be read, is none', () => {
  const { hash: _, ...loose } = pulled(debian)
  const graph = {
    'stream-app': { needs: ['loose.tar', 'untold.tar', 'other.tar', 'absent.tar', 'broken.tar'] },
    'loose.tar': loose,
    'untold.tar': { hash: 'ab', env: { sourceURL: 'docker://debian:latest', imageDigest: digest('a') } },
    'other.tar': { hash: 'ab', env: { url: 'https://example.org/other.tar' } },
    'broken.tar': { hash: 'ab', env: { __json: '{' } },
  }
  assert.deepEqual(basesOf(graph, 'stream-app'), [])
  assert.deepEqual(basesOf(graph, 'absent.tar'), [])
})

test('what an archive with a fixed hash was made from does not matter', () => {
  const graph = {
    'stream-app': { needs: ['squashed.tar'] },
    'squashed.tar': { hash: 'ab', needs: ['docker-image-debian-latest.tar'] },
    'docker-image-debian-latest.tar': pulled(debian),
  }
  assert.deepEqual(basesOf(graph, 'stream-app'), [])
})
