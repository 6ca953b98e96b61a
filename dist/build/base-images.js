import { basename } from 'node:path'
import { parseWholeDerivation, toldToBuilder } from '../nix/derivation.js'

/**
 * What the parts of an image are called in nixpkgs' dockerTools and in nix2container. Through all other derivations the
 * graph is not followed: what a program in the image was built from is no base of it.
 */
const part =
  /^(docker-image|docker-layer|stream|image|layers?|nix2container)-|(\.tar(\.\w+)?|\.json|-layers?)$/

/**
 * Finds the images that `dockerTools.pullImage` and `nix2container.pullImage` fetch for an image, or for one that it is
 * based on in turn: their derivations name image and digest, and have a fixed output.
 * @param drvPath store path of the image's derivation
 * @param read gives the text of a derivation, undefined where it is not on this machine
 */
export function baseImages(drvPath, read) {
  const found = new Map()
  const seen = new Set([drvPath])
  const pending = [drvPath]
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    const derivation = parseWholeDerivation(read(at) ?? '')
    if (derivation === undefined) continue
    const base = pulled(at, derivation)
    if (base !== undefined) found.set(base.reference, base)
    // What has a fixed output is held against that alone.
    if (derivation.fixed !== undefined) continue
    const { fromImage } = toldToBuilder(derivation)
    for (const input of derivation.inputs) {
      const name = basename(input.drvPath).slice(33, -'.drv'.length)
      const isBase = typeof fromImage === 'string' && fromImage.endsWith(`-${name}`)
      if (seen.has(input.drvPath) || !(isBase || part.test(name))) continue
      seen.add(input.drvPath)
      pending.push(input.drvPath)
    }
  }
  return [...found.values()].toSorted((a, b) => (a.reference < b.reference ? -1 : 1))
}

function pulled(drvPath, derivation) {
  const { fixed, outputs } = derivation
  const { sourceURL, imageDigest } = toldToBuilder(derivation)
  const path = outputs.get('out')
  if (fixed === undefined || path === undefined) return undefined
  if (typeof sourceURL !== 'string' || typeof imageDigest !== 'string') return undefined
  const reference = /^docker:\/\/(\S+)$/.exec(sourceURL)?.[1]
  return reference?.endsWith(`@${imageDigest}`) ? { reference, hash: fixed, drvPath, path } : undefined
}
