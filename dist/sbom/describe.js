import { fixupSpdxId } from '../vendor/cyclonedx-cyclonedx-library-SPDX.js'
import { isCPE } from '../vendor/cyclonedx-cyclonedx-library-Types.js'
import { sha256 } from '../util/digest.js'

import { packageUrl, storeName } from './names.js'

const plain = {
  ...{ isProgram: false, sha256: undefined, purls: [], cpe: undefined, path: undefined },
  ...{ description: undefined, homepage: undefined, licenses: [], properties: {}, dependsOn: [] },
}

/**
 * Lists an image and what is in it. Whatever order the inventory has, the list is the same.
 * @returns the image first, then all else sorted by kind and id
 */
export function describeItems(inventory) {
  const { image, layers, outside } = inventory
  const packages = inventory.packages.toSorted((a, b) => compare(a.path, b.path))
  const ids = idsOf(packages)
  const vendored = new Map(packages.flatMap(({ vendored }) => vendored.map(one => [vendoredId(one), one])))
  const items = [
    ...packages.map(one => storeItem(one, ids, layers)),
    ...[...vendored].map(([id, one]) => vendoredItem(id, one)).sort((a, b) => compare(a.id, b.id)),
    ...outside.toSorted((a, b) => a - b).map(layer => layerItem(layer, layers[layer])),
  ]
  const needed = new Set(items.flatMap(({ dependsOn }) => dependsOn))
  const [name = ''] = image.name.split('/').slice(-1)
  return [
    {
      ...plain,
      id: 'image',
      kind: 'image',
      name: image.name,
      version: image.digest ?? '',
      sha256: image.digest?.slice('sha256:'.length),
      purls:
        image.digest === undefined
          ? []
          : [
              packageUrl('oci', name, image.digest, {
                arch: image.architecture,
                repository_url: image.name,
              }),
            ],
      dependsOn: items.map(({ id }) => id).filter(id => !needed.has(id)),
    },
    ...items,
  ]
}

/** An item's homepage, where it is a URL. */
export function homepageOf({ homepage }) {
  return homepage !== undefined && /^https?:/.test(homepage) && URL.canParse(homepage)
    ? new URL(homepage).href
    : undefined
}

function storeItem({ path, layer, known, meta, vendored }, ids, layers) {
  const { hash, name, version, output } = storeName(path, known?.deriver)
  const references = known?.references.flatMap(to => (to === path ? [] : (ids.get(to) ?? []))) ?? []
  const own = packageUrl('nix', name, version, { output, outputhash: hash })
  return {
    ...{ id: ids.get(path) ?? '', kind: 'store path', name, version, path },
    isProgram: meta?.isProgram ?? false,
    sha256: known && Buffer.from(known.narHash.replace(/^sha256-/, ''), 'base64').toString('hex'),
    purls: meta?.purl === undefined ? [own] : [meta.purl, own],
    cpe: meta?.cpe?.startsWith('cpe:2.3:') && isCPE(meta.cpe) ? meta.cpe : undefined,
    description: meta?.description,
    homepage: meta?.homepage,
    licenses: (meta?.licenses ?? []).map(({ spdxId, name }) => ({ spdxId: fixupSpdxId(spdxId), name })),
    properties: defined({
      'nix:output_path': path,
      'nix:output': output,
      'nix:drv_path': known?.deriver,
      'nix:nar_hash': known?.narHash,
      'nix:nar_size': known?.narSize.toString(),
      'nix:known': known === undefined ? 'false' : undefined,
      'oci:layer': layers[layer] ?? String(layer),
    }),
    dependsOn: [...new Set([...references, ...vendored.map(vendoredId)])].sort(),
  }
}

function vendoredItem(id, { name, version, purl, sha256 }) {
  return { ...plain, id, kind: 'vendored', name, version, purls: [purl], sha256 }
}

function layerItem(layer, digest) {
  return {
    ...plain,
    id: `layer-${layer}`,
    kind: 'layer',
    name: `files of layer ${layer} outside of the Nix store`,
    version: digest ?? '',
    sha256: digest?.slice('sha256:'.length),
    properties: { 'oci:layer': digest ?? String(layer) },
  }
}

/** The same for every store path that holds the package. */
function vendoredId({ purl, name, version, sha256 }) {
  return shortHash(JSON.stringify([purl, name, version, sha256]))
}

/** A store path's hash part, where it is what names that path alone. */
function idsOf(packages) {
  const ids = new Map()
  const taken = new Set()
  for (const { path } of packages) {
    const { hash } = storeName(path, undefined)
    const id = hash === '' || taken.has(hash) ? shortHash(path) : hash
    ids.set(path, id)
    taken.add(id)
  }
  return ids
}

function shortHash(text) {
  return sha256(text).slice('sha256:'.length, 'sha256:'.length + 32)
}

/** By code units: the same in every locale. */
function compare(a, b) {
  return a < b ? -1 : a > b ? 1 : 0
}

function defined(values) {
  return Object.fromEntries(Object.entries(values).flatMap(([key, value]) => (value ? [[key, value]] : [])))
}
