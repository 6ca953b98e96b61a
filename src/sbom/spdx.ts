import { homepageOf, type Item } from './describe.ts'

const unsaid = 'NOASSERTION'

const purposes = {
  image: 'CONTAINER',
  'store path': 'LIBRARY',
  vendored: 'LIBRARY',
  layer: 'FILE',
} as const

/**
 * Writes an SBOM as SPDX 2.3 JSON: https://spdx.github.io/spdx-spec/v2.3/
 * @param about.items the image first
 * @param about.id UUID of the content
 */
export function spdx(about: {
  readonly items: readonly Item[]
  readonly created: Date
  readonly id: string
}): string {
  const { items, created, id } = about
  const [image] = items
  const named = new Map<string, string>()
  const packages = items.map(item => packageOf(item, named))
  const document = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: image?.name ?? '',
    documentNamespace: `https://spdx.org/spdxdocs/nix-image-action-${id}`,
    creationInfo: {
      // To the second, as the format wants it.
      created: created.toISOString().replace(/\.\d+Z$/, 'Z'),
      creators: ['Tool: nix-image-action'],
    },
    packages,
    relationships: [
      relation('DOCUMENT', 'DESCRIBES', 'image'),
      ...items.flatMap(({ id, kind }) =>
        kind === 'store path' || kind === 'layer' ? [relation('image', 'CONTAINS', id)] : [],
      ),
      ...items.flatMap(({ id, kind, dependsOn }) =>
        kind === 'image' ? [] : dependsOn.map(other => relation(id, 'DEPENDS_ON', other)),
      ),
    ],
    ...(named.size === 0
      ? {}
      : {
          hasExtractedLicensingInfos: [...named].map(([name, licenseId]) => ({
            licenseId,
            name,
            extractedText: `The package names this licence and does not give its text: ${name}`,
          })),
        }),
  }
  return JSON.stringify(document)
}

function relation(from: string, relationshipType: string, to: string) {
  return { spdxElementId: `SPDXRef-${from}`, relationshipType, relatedSpdxElement: `SPDXRef-${to}` }
}

/** @param named licences that SPDX has no id for, with the one that this document gives them */
function packageOf(item: Item, named: Map<string, string>) {
  const references = [
    ...item.purls.map(purl => reference('PACKAGE-MANAGER', 'purl', purl)),
    ...(item.cpe === undefined ? [] : [reference('SECURITY', 'cpe23Type', item.cpe)]),
  ]
  const properties = Object.entries(item.properties).map(([name, value]) => `${name}=${value}`)
  return {
    SPDXID: `SPDXRef-${item.id}`,
    name: item.name,
    versionInfo: item.version || undefined,
    packageFileName: item.path,
    primaryPackagePurpose: item.isProgram ? 'APPLICATION' : purposes[item.kind],
    downloadLocation: unsaid,
    filesAnalyzed: false,
    homepage: homepageOf(item),
    summary: item.description,
    checksums: item.sha256 === undefined ? undefined : [{ algorithm: 'SHA256', checksumValue: item.sha256 }],
    licenseConcluded: unsaid,
    licenseDeclared: expressionOf(item.licenses, named),
    copyrightText: unsaid,
    externalRefs: references.length > 0 ? references : undefined,
    comment: properties.length > 0 ? properties.join('\n') : undefined,
  }
}

function reference(referenceCategory: string, referenceType: string, referenceLocator: string) {
  return { referenceCategory, referenceType, referenceLocator }
}

/** https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/ */
function expressionOf(licenses: Item['licenses'], named: Map<string, string>): string {
  const ids = licenses.map(({ spdxId, name }) => {
    if (spdxId !== undefined) return spdxId
    const id = named.get(name) ?? `LicenseRef-${named.size + 1}`
    named.set(name, id)
    return id
  })
  return [...new Set(ids)].join(' AND ') || unsaid
}
