import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { sbomDocuments } from '../../../src/sbom/document.ts'
import type { Inventory, StorePackage } from '../../../src/sbom/model.ts'
import { schemaProblems } from '../../harness/sbom-schemas.ts'
import { inventories } from './sample.ts'

test('whatever an image holds, both documents are what the official schemas want', () => {
  fc.assert(
    fc.property(inventories, inventory => {
      for (const { format, text } of sbomDocuments(inventory))
        assert.deepEqual(schemaProblems(format, JSON.parse(text)), [])
    }),
  )
})

test('the schemas refuse what is no SBOM', () => {
  assert.notDeepEqual(
    schemaProblems('cyclonedx', { bomFormat: 'CycloneDX', specVersion: '1.6', components: [{}] }),
    [],
  )
  assert.notDeepEqual(schemaProblems('spdx', { spdxVersion: 'SPDX-2.3', packages: [{}] }), [])
})

test('every id is one of its own, and leads to something', () => {
  fc.assert(
    fc.property(inventories, inventory => {
      const [cyclonedx, spdx] = sbomDocuments(inventory).map(({ text }) => JSON.parse(text))
      const refs = [cyclonedx.metadata.component, ...cyclonedx.components].map(one => one['bom-ref'])
      assert.equal(new Set(refs).size, refs.length)
      for (const { ref, dependsOn = [] } of cyclonedx.dependencies)
        for (const one of [ref, ...dependsOn]) assert.ok(refs.includes(one), one)
      assert.deepEqual(
        spdx.packages.map(({ SPDXID }: { SPDXID: string }) => SPDXID),
        refs.map(ref => `SPDXRef-${ref}`),
      )
      for (const { relatedSpdxElement, spdxElementId } of spdx.relationships)
        for (const one of [relatedSpdxElement, spdxElementId])
          assert.ok(one === 'SPDXRef-DOCUMENT' || refs.includes(one.slice(8)), one)
    }),
  )
})

test('every store path is listed, and no other', () => {
  fc.assert(
    fc.property(inventories, inventory => {
      const [cyclonedx, spdx] = sbomDocuments(inventory).map(({ text }) => JSON.parse(text))
      const paths = inventory.packages.map(({ path }) => path).toSorted()
      const listed = cyclonedx.components.flatMap(
        ({ properties = [] }: { properties?: { name: string; value: string }[] }) =>
          properties.filter(({ name }) => name === 'nix:output_path').map(({ value }) => value),
      )
      assert.deepEqual(listed.toSorted(), paths)
      const files = spdx.packages.flatMap(
        ({ packageFileName }: { packageFileName?: string }) => packageFileName ?? [],
      )
      assert.deepEqual(files.toSorted(), paths)
    }),
  )
})

test('the same content gives the same bytes in any order, other content another serial number', () => {
  const serials = (inventory: Inventory) => {
    const [cyclonedx, spdx] = sbomDocuments(inventory).map(({ text }) => JSON.parse(text))
    return [cyclonedx.serialNumber, spdx.documentNamespace]
  }
  const shuffled = inventories.chain(inventory => {
    const mixed = inventory.packages.map(one =>
      fc
        .record({
          references: fc.shuffledSubarray([...(one.known?.references ?? [])], {
            minLength: one.known?.references.length ?? 0,
          }),
          vendored: fc.shuffledSubarray([...one.vendored], { minLength: one.vendored.length }),
        })
        .map(
          ({ references, vendored }): StorePackage => ({
            ...one,
            vendored,
            known: one.known && { ...one.known, references },
          }),
        ),
    )
    return fc
      .tuple(...mixed)
      .chain(packages =>
        fc.record({
          packages: fc.shuffledSubarray(packages, { minLength: packages.length }),
          outside: fc.shuffledSubarray([...inventory.outside], { minLength: inventory.outside.length }),
        }),
      )
      .map(other => [inventory, { ...inventory, ...other }] as const)
  })
  fc.assert(
    fc.property(shuffled, ([one, other]) => {
      assert.deepEqual(sbomDocuments(other), sbomDocuments(one))
      const [first, ...rest] = one.packages
      if (first === undefined) return
      assert.notDeepEqual(serials({ ...one, packages: rest }), serials(one))
    }),
  )
})

test('a package as both formats have it', () => {
  const store = '/nix/store/5zzrvdmlkc5rh3k5862krd3wfb3pqhyf'
  const libc = `${store}-glibc-2.40-66`
  const inventory: Inventory = {
    image: {
      name: 'ghcr.io/org/app',
      digest: `sha256:${'ab'.repeat(32)}`,
      architecture: 'amd64',
      created: new Date(1000),
    },
    layers: [`sha256:${'cd'.repeat(32)}`],
    outside: [0],
    packages: [
      {
        path: '/nix/store/0c8wh4gbdgyf4jdk5d2y0mdqw9xqnlr5-hello-2.12.1-bin',
        layer: 0,
        known: {
          narHash: `sha256-${Buffer.alloc(32, 1).toString('base64')}`,
          narSize: 42,
          references: [libc],
          deriver: '/nix/store/1c8wh4gbdgyf4jdk5d2y0mdqw9xqnlr5-hello-2.12.1.drv',
        },
        meta: {
          description: 'Greets',
          homepage: 'https://www.gnu.org/software/hello/',
          licenses: [
            { spdxId: 'GPL-3.0-or-later', name: 'GNU GPL' },
            { spdxId: undefined, name: 'House rules' },
          ],
          cpe: 'cpe:2.3:a:gnu:hello:2.12.1:*:*:*:*:*:*:*',
          purl: undefined,
          isProgram: true,
        },
        vendored: [{ name: 'serde', version: '1.0.0', purl: 'pkg:cargo/serde@1.0.0', sha256: undefined }],
      },
      { path: libc, layer: 0, known: undefined, meta: undefined, vendored: [] },
    ],
  }
  const [cyclonedx, spdx] = sbomDocuments(inventory).map(({ text }) => JSON.parse(text))
  const purl = 'pkg:nix/hello@2.12.1?output=bin&outputhash=0c8wh4gbdgyf4jdk5d2y0mdqw9xqnlr5'
  assert.equal(cyclonedx.metadata.timestamp, '1970-01-01T00:00:01.000Z')
  assert.equal(
    cyclonedx.metadata.component.purl,
    `pkg:oci/app@sha256:${'ab'.repeat(32)}?arch=amd64&repository_url=ghcr.io%2Forg%2Fapp`,
  )
  const [hello, glibc, serde, layer] = cyclonedx.components
  assert.deepEqual(hello, {
    type: 'application',
    name: 'hello',
    version: '2.12.1',
    'bom-ref': '0c8wh4gbdgyf4jdk5d2y0mdqw9xqnlr5',
    description: 'Greets',
    hashes: [{ alg: 'SHA-256', content: '01'.repeat(32) }],
    licenses: [{ license: { id: 'GPL-3.0-or-later' } }, { license: { name: 'House rules' } }],
    cpe: 'cpe:2.3:a:gnu:hello:2.12.1:*:*:*:*:*:*:*',
    purl,
    externalReferences: [{ url: 'https://www.gnu.org/software/hello/', type: 'website' }],
    properties: [
      { name: 'nix:output_path', value: '/nix/store/0c8wh4gbdgyf4jdk5d2y0mdqw9xqnlr5-hello-2.12.1-bin' },
      { name: 'nix:output', value: 'bin' },
      { name: 'nix:drv_path', value: '/nix/store/1c8wh4gbdgyf4jdk5d2y0mdqw9xqnlr5-hello-2.12.1.drv' },
      { name: 'nix:nar_hash', value: 'sha256-AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=' },
      { name: 'nix:nar_size', value: '42' },
      { name: 'oci:layer', value: `sha256:${'cd'.repeat(32)}` },
    ],
  })
  assert.deepEqual(
    [glibc.name, glibc.version, glibc.properties[1]],
    ['glibc', '2.40-66', { name: 'nix:known', value: 'false' }],
  )
  assert.deepEqual(
    [serde.purl, layer.type, layer.version],
    ['pkg:cargo/serde@1.0.0', 'file', `sha256:${'cd'.repeat(32)}`],
  )
  assert.deepEqual(cyclonedx.dependencies.slice(0, 2), [
    { ref: 'image', dependsOn: [hello['bom-ref'], layer['bom-ref']] },
    { ref: hello['bom-ref'], dependsOn: [glibc['bom-ref'], serde['bom-ref']] },
  ])
  assert.deepEqual(spdx.packages[1].externalRefs, [
    { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl },
    {
      referenceCategory: 'SECURITY',
      referenceType: 'cpe23Type',
      referenceLocator: 'cpe:2.3:a:gnu:hello:2.12.1:*:*:*:*:*:*:*',
    },
  ])
  assert.equal(spdx.packages[1].licenseDeclared, 'GPL-3.0-or-later AND LicenseRef-1')
  assert.deepEqual(
    spdx.hasExtractedLicensingInfos.map(({ licenseId, name }: Record<string, string>) => [licenseId, name]),
    [['LicenseRef-1', 'House rules']],
  )
})
