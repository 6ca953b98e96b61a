import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { Ajv } from 'ajv'
import addFormats from 'ajv-formats'

const library = dirname(createRequire(import.meta.url).resolve('@cyclonedx/cyclonedx-library/package.json'))
const read = (...path: readonly string[]) => JSON.parse(readFileSync(join(...path), 'utf8'))
const cycloneDx = (name: string) => read(library, 'res/schema', `${name}.SNAPSHOT.schema.json`)

// The schemas say more than validation needs.
const ajv = new Ajv({ strict: false, allErrors: true })
addFormats.default(ajv)
// Formats of international names, which nothing of ours has.
for (const name of ['idn-email', 'iri-reference']) ajv.addFormat(name, true)
for (const name of ['spdx', 'jsf-0.82'])
  ajv.addSchema(cycloneDx(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`)

const validators = {
  cyclonedx: ajv.compile(cycloneDx('bom-1.6')),
  spdx: ajv.compile(read(import.meta.dirname, '../fixtures/spdx/spdx-schema-2.3.json')),
}

/** What the official schema of a format has against a document. */
export function schemaProblems(format: keyof typeof validators, document: unknown): string[] {
  const validate = validators[format]
  validate(document)
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`)
}
