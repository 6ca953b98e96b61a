import {
  ComponentType,
  ExternalReferenceType,
  HashAlgorithm,
  LifecyclePhase,
} from '@cyclonedx/cyclonedx-library/Enums'
import {
  Bom,
  Component,
  ExternalReference,
  HashDictionary,
  type License,
  NamedLicense,
  Property,
  SpdxLicense,
} from '@cyclonedx/cyclonedx-library/Models'
import { JSON as Json, JsonSerializer } from '@cyclonedx/cyclonedx-library/Serialize'
import { Spec1dot6 } from '@cyclonedx/cyclonedx-library/Spec'
import { isCPE } from '@cyclonedx/cyclonedx-library/Types'
import { homepageOf, type Item } from './describe.ts'

const types = {
  image: ComponentType.Container,
  'store path': ComponentType.Library,
  vendored: ComponentType.Library,
  layer: ComponentType.File,
} as const

/**
 * Writes an SBOM as CycloneDX 1.6 JSON: https://cyclonedx.org/docs/1.6/json/
 * @param about.items the image first
 * @param about.id UUID of the content
 */
export function cycloneDx(about: {
  readonly items: readonly Item[]
  readonly created: Date
  readonly id: string
}): string {
  const components = new Map(about.items.map(item => [item.id, componentOf(item)]))
  for (const { id, dependsOn } of about.items)
    for (const other of dependsOn) {
      const found = components.get(other)
      if (found !== undefined) components.get(id)?.dependencies.add(found.bomRef)
    }
  const [image, ...others] = components.values()
  const bom = new Bom({ serialNumber: `urn:uuid:${about.id}` })
  bom.metadata.timestamp = about.created
  bom.metadata.lifecycles.add(LifecyclePhase.Build)
  bom.metadata.tools.components.add(new Component(ComponentType.Application, 'nix-image-action'))
  if (image !== undefined) bom.metadata.component = image
  for (const component of others) bom.components.add(component)
  // They are sorted already, and not by the machine's language.
  return new JsonSerializer(new Json.Normalize.Factory(Spec1dot6)).serialize(bom, {
    sortLists: false,
  })
}

function componentOf(item: Item): Component {
  const component = new Component(item.isProgram ? ComponentType.Application : types[item.kind], item.name, {
    bomRef: item.id,
    version: item.version,
    ...(item.description === undefined ? {} : { description: item.description }),
    ...(item.purls[0] === undefined ? {} : { purl: item.purls[0] }),
    ...(isCPE(item.cpe) ? { cpe: item.cpe } : {}),
    ...(item.sha256 === undefined
      ? {}
      : { hashes: new HashDictionary([[HashAlgorithm['SHA-256'], item.sha256]]) }),
  })
  for (const license of item.licenses) component.licenses.add(licenseOf(license))
  const homepage = homepageOf(item)
  if (homepage !== undefined)
    component.externalReferences.add(new ExternalReference(homepage, ExternalReferenceType.Website))
  for (const [name, value] of Object.entries(item.properties))
    component.properties.add(new Property(name, value))
  return component
}

function licenseOf({ spdxId, name }: Item['licenses'][number]): License {
  return spdxId === undefined ? new NamedLicense(name) : new SpdxLicense(spdxId)
}
