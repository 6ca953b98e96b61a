import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { after, test } from 'node:test'
import { sha256 } from '../../src/util/digest.ts'
import { exec } from '../../src/util/exec.ts'
import type { Machine } from '../harness/machine.ts'
import { expect } from '../harness/nix-by-hand.ts'
import { schemaProblems } from '../harness/sbom-schemas.ts'
import { skopeo } from '../harness/skopeo.ts'
import { login, World } from '../harness/world.ts'

const world = await World.create({ template: 'redis', keptNix: true })
const folder = mkdtempSync(join(tmpdir(), 'sbom-'))
after(async () => {
  await world[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

type Property = { readonly name: string; readonly value: string }
type Component = { readonly 'bom-ref': string; readonly properties?: readonly Property[] }

const pathOf = ({ properties = [] }: Component) =>
  properties.find(({ name }) => name === 'nix:output_path')?.value
const layerOf = ({ properties = [] }: Component) => properties.find(({ name }) => name === 'oci:layer')?.value

/** Store paths by the digest of the layer that holds them, as a client gets it from the registry. */
async function pulled(reference: string): Promise<Map<string, string>> {
  const to = join(folder, 'pulled')
  rmSync(to, { recursive: true, force: true })
  const copied = await skopeo(folder, [
    ...['copy', '--insecure-policy', '--src-tls-verify=false', '--preserve-digests'],
    ...['--src-creds', `${login.username}:${login.password}`, `docker://${reference}`, `dir:${to}`],
  ])
  assert.equal(copied.code, 0, copied.stderr)
  const { layers } = JSON.parse(readFileSync(join(to, 'manifest.json'), 'utf8'))
  const found = new Map<string, string>()
  for (const { digest } of layers) {
    const listed = await exec('tar', ['-tzf', join(to, digest.slice('sha256:'.length))], {
      env: { PATH: process.env.PATH ?? '' },
    })
    for (const name of listed.stdout.split('\n')) {
      const [, path] = /^\.?\/?(nix\/store\/[^/]+)/.exec(name) ?? []
      if (path !== undefined) found.set(`/${path}`, digest)
    }
  }
  return found
}

/** The files that a step's output names, as a later step sees them. */
async function documents(machine: Machine, output: string | undefined) {
  assert.match(output ?? '', /^\S+\.cdx\.json$/)
  const read = async (file = '') => JSON.parse(await expect(machine.run(['cat', file])))
  const cyclonedx = await read(output)
  const spdx = await read(output?.replace(/\.cdx\.json$/, '.spdx.json'))
  assert.deepEqual(schemaProblems('cyclonedx', cyclonedx), [])
  assert.deepEqual(schemaProblems('spdx', spdx), [])
  return { cyclonedx, spdx }
}

test('both documents list exactly what the layers in the registry hold, and who refers to whom', async () => {
  await using prepared = await world.prepare({ with: { sbom: 'true' } })
  const main = await prepared.main()
  assert.equal(main.code, 0, main.log)
  const { machine } = prepared
  const { cyclonedx, spdx } = await documents(machine, main.outputs.sbom)
  const layers = await pulled(main.outputs.image ?? '')
  assert.ok(layers.size >= 4, [...layers].join('\n'))
  const components: Component[] = cyclonedx.components.filter((one: Component) => pathOf(one) !== undefined)
  assert.deepEqual(
    new Map(components.map(one => [pathOf(one) ?? '', layerOf(one)])),
    new Map([...layers].sort()),
  )
  const packages = spdx.packages.flatMap(
    ({ packageFileName }: { packageFileName?: string }) => packageFileName ?? [],
  )
  assert.deepEqual(packages, [...layers.keys()].sort())

  const idOf = (path: string) => basename(path).slice(0, 32)
  for (const path of layers.keys()) {
    const { stdout } = await prepared.job
      .run(['nix-store', '-q', '--references', path])
      .then(({ log, code }) => ({ stdout: code === 0 ? log : assert.fail(log) }))
    const references = (stdout.match(/\/nix\/store\/\S+/g) ?? []).filter(to => to !== path && layers.has(to))
    const ids = references.map(idOf).sort()
    const { dependsOn = [] } = cyclonedx.dependencies.find(({ ref }: { ref: string }) => ref === idOf(path))
    assert.deepEqual(dependsOn, ids, path)
    const related = spdx.relationships.flatMap((one: Record<string, string>) =>
      one.relationshipType === 'DEPENDS_ON' && one.spdxElementId === `SPDXRef-${idOf(path)}`
        ? one.relatedSpdxElement?.slice('SPDXRef-'.length)
        : [],
    )
    assert.deepEqual(related, ids, path)
  }
  assert.equal(cyclonedx.metadata.component.version, main.outputs.digest)
  assert.match(
    main.summary,
    /\| SBOM \| <code>app\.linux-amd64\.cdx\.json<\/code> <code>app\.linux-amd64\.spdx\.json<\/code>; beside the image, unsigned \|/,
  )
  const { details } = JSON.parse(main.outputs.metadata ?? '')
  assert.equal(details.sbom[0].files[0], main.outputs.sbom)
  // Steps that run after the action's own end, as those that upload artifacts do, find it, too.
  await prepared.post()
  await documents(machine, main.outputs.sbom)
})

test('the same image has the same SBOM in another run, whatever kind of archive it comes in', async () => {
  const texts = new Set<string>()
  for (const image of ['.#image', '.#archive-gz']) {
    await using prepared = await world.prepare({ with: { sbom: 'true', image, tags: 'same' } })
    const main = await prepared.main()
    assert.equal(main.code, 0, main.log)
    const { cyclonedx, spdx } = await documents(prepared.machine, main.outputs.sbom)
    texts.add(JSON.stringify([main.outputs.digest, cyclonedx, spdx]))
  }
  assert.equal(texts.size, 1)
})

test('what is not pushed has an SBOM as well, that names no digest', async () => {
  await using prepared = await world.prepare({ with: { sbom: 'true', push: 'false', check: 'off' } })
  const main = await prepared.main()
  assert.equal(main.code, 0, main.log)
  const { cyclonedx } = await documents(prepared.machine, main.outputs.sbom)
  assert.equal(cyclonedx.metadata.component.version, undefined)
  assert.ok(cyclonedx.components.filter((one: Component) => /^\d+$/.test(layerOf(one) ?? '')).length >= 4)
})

/** Has redis say what it is, and the app take in a crate. */
async function withMore(workspace: string, machine: Machine): Promise<void> {
  const file = join(workspace, 'flake.nix')
  const flake = await expect(machine.run(['cat', file]))
  const crate = `crates = run "cargo-vendor-dir" (builtins.toFile "vendor.sh" "$bin/busybox cp $crate $out") {
    crate = run "crate-serde-1.0.2.tar.gz" (builtins.toFile "fetch.sh" "echo crate >$out") {
      url = "https://crates.io/api/v1/crates/serde/1.0.2/download";
      outputHashMode = "flat";
      outputHashAlgo = "sha256";
      outputHash = "${sha256('crate\n').slice('sha256:'.length)}";
    };
  };`
  const meta = `redis = redis // { meta = {
    license = { spdxId = "BSD-3-Clause"; fullName = "BSD 3-clause"; };
    homepage = "https://redis.io";
    identifiers.cpe = "cpe:2.3:a:redis:redis:7.0.15:*:*:*:*:*:*:*";
  }; };`
  const changed = flake
    .replace('src = builtins.path', `${crate} src = builtins.path`)
    .replace('inherit app busybox libs redis;', `inherit app busybox libs; ${meta}`)
  assert.ok(changed.includes(crate) && changed.includes(meta))
  await machine.plant(file, changed)
}

test('licences, homepages and identifiers of packages, and crates that a build took in', async () => {
  await using prepared = await world.prepare({ with: { sbom: 'true' }, change: withMore })
  const main = await prepared.main()
  assert.equal(main.code, 0, main.log)
  const { cyclonedx, spdx } = await documents(prepared.machine, main.outputs.sbom)
  const named = (name: string) => cyclonedx.components.find((one: { name: string }) => one.name === name)
  const { licenses, cpe, externalReferences } = named('redis')
  assert.deepEqual(licenses, [{ license: { id: 'BSD-3-Clause' } }])
  assert.equal(cpe, 'cpe:2.3:a:redis:redis:7.0.15:*:*:*:*:*:*:*')
  assert.equal(externalReferences[0].url, 'https://redis.io/')
  const serde = named('serde')
  assert.equal(serde.purl, 'pkg:cargo/serde@1.0.2')
  assert.deepEqual(serde.hashes, [{ alg: 'SHA-256', content: sha256('crate\n').slice('sha256:'.length) }])
  const { dependsOn } = cyclonedx.dependencies.find(
    ({ ref }: { ref: string }) => ref === named('app')['bom-ref'],
  )
  assert.ok(dependsOn.includes(serde['bom-ref']))
  const redis = spdx.packages.find((one: { name: string }) => one.name === 'redis')
  assert.equal(redis.licenseDeclared, 'BSD-3-Clause')
})
