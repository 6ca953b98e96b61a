import type { Nix } from '../../../src/nix/model.ts'
import { packageMeta } from '../../../src/sbom/meta.ts'

/** Runs the module under test inside of a machine. */
const { nix, ...options }: Parameters<typeof packageMeta>[1] & { nix: Omit<Nix, 'env'> } = JSON.parse(
  process.argv[2] ?? '',
)
const env = Object.fromEntries(
  Object.entries(process.env).flatMap(([key, value]) => (value ? [[key, value]] : [])),
)
const found = await packageMeta({ ...nix, env }, options).then(
  found => ({ found: [...found] }),
  error => ({ error: String(error) }),
)
console.log(JSON.stringify(found))
