import { basename } from 'node:path'
import { parseDerivation, parseWholeDerivation, toldToBuilder } from '../nix/derivation.js'

import { packageUrl } from './names.js'

/**
 * Derivations that put other ecosystems' packages together for a build: those of nixpkgs (`importCargoLock`,
 * `importNpmLock`, `buildRustCrate`), crane, naersk, gomod2nix, node2nix and yarn2nix. Through all others the graph is
 * not followed: what a compiler was made from is not in what it compiled.
 */
const gathers =
  /^(cargo-vendor-dir|vendor-cargo-deps|vendor-registry|vendor-git|cargo-(package|git|deps)-.*|crates-io.*|rust_.*|.*-(vendor|vendor-dir|vendor-env|vendor-staging|go-modules|npm-deps|node-modules|deps|offline|offline-cache)|offline|vendor-env|node-dependencies-.*|node_modules.*)$/

/**
 * Finds the packages of other ecosystems that the build of a derivation takes in, as far as its inputs name them one by
 * one: a set of dependencies that is downloaded in one go has one hash, and names none.
 * @param read gives the text of a derivation, undefined where it is not on this machine
 * @returns a function that takes the derivation's store path
 */
export function vendoredBy(read) {
  const inputsOf = drvPath => parseDerivation(read(drvPath) ?? '')?.inputs ?? []
  const downloads = new Map()
  const download = drvPath => {
    if (!downloads.has(drvPath)) downloads.set(drvPath, downloaded(parseWholeDerivation(read(drvPath) ?? '')))
    return downloads.get(drvPath)
  }
  return drvPath => {
    const found = new Set()
    const seen = new Set([drvPath])
    const pending = [drvPath]
    for (let at = pending.pop(); at !== undefined; at = pending.pop())
      for (const input of inputsOf(at)) {
        if (seen.has(input.drvPath)) continue
        seen.add(input.drvPath)
        const name = basename(input.drvPath).slice(33, -'.drv'.length)
        const vendored = packed.test(name) ? download(input.drvPath) : undefined
        if (vendored !== undefined) found.add(vendored)
        else if (gathers.test(name)) pending.push(input.drvPath)
      }
    return [...found]
  }
}

/** How what package registries have is called. */
const packed = /\.(tar\.gz|tgz|crate|zip)$/

/** What a derivation downloads, if it is from the registry of an ecosystem. */
function downloaded(derivation) {
  if (derivation?.fixed === undefined) return undefined
  const { fixed } = derivation
  for (const url of urlsOf(derivation))
    for (const [type, form, parts] of registries) {
      const found = form.exec(url)
      if (found === null) continue
      const [name, version] = parts(found.slice(1).map(decode))
      return {
        ...{ name, version, purl: packageUrl(type, name, version) },
        sha256: fixed.algorithm === 'sha256' ? fixed.hash : undefined,
      }
    }
  return undefined
}

const inOrder = ([name = '', version = '']) => [name, version]

/** Where each registry has a package. */
const registries = [
  ['cargo', /^https:\/\/(?:www\.)?crates\.io\/api\/v1\/crates\/([^/]+)\/([^/]+)\/download/, inOrder],
  ['cargo', /^https:\/\/static\.crates\.io\/crates\/([^/]+)\/([^/]+)\/download/, inOrder],
  ['cargo', /^https:\/\/static\.crates\.io\/crates\/([^/]+)\/\1-([^/]+)\.crate/, inOrder],
  [
    'npm',
    /^https:\/\/registry\.(?:npmjs\.org|yarnpkg\.com)\/((?:@[^/]+\/|%40[^/]+%2[fF])?([^/]+))\/-\/\2-([^/]+)\.tgz/,
    ([name = '', , version = '']) => [name, version],
  ],
  [
    'golang',
    /^https:\/\/proxy\.golang\.org\/(.+)\/@v\/([^/]+)\.zip/,
    ([module = '', version = '']) => [capitals(module), capitals(version)],
  ],
]

/** https://go.dev/ref/mod#goproxy-protocol */
function capitals(path) {
  return path.replace(/!([a-z])/g, (_, letter) => letter.toUpperCase())
}

function decode(text) {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Of nixpkgs' `fetchurl`. */
function urlsOf(derivation) {
  const { url, urls } = toldToBuilder(derivation)
  return [url, urls].flat().flatMap(text => (typeof text === 'string' ? text.split(/\s+/) : []))
}
