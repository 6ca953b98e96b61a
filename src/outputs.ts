import type { Report } from './report.ts'

/**
 * The step's outputs, as far as the run came. Names and forms are the contract's; `metadata` holds all of them and
 * the details.
 */
export function outputsOf(report: Report): ReadonlyMap<string, string> {
  const { push, build, cache, nix, sbom } = report
  const outputs = new Map<string, string>()
  if (push !== undefined) {
    outputs.set('digest', push.digest)
    outputs.set('image', `${push.name}@${push.digest}`)
    outputs.set('tags', push.tags.join('\n'))
    outputs.set('changed', String(push.changed))
    outputs.set('platforms', push.platforms.join(','))
    outputs.set('size', String(push.images.reduce((sum, { size }) => sum + size, 0)))
    outputs.set('uploaded', String(push.images.reduce((sum, { uploaded }) => sum + uploaded, 0)))
  }
  if (build !== undefined && build.outPaths.length > 0) outputs.set('out-path', build.outPaths.join('\n'))
  if (cache?.status !== undefined) outputs.set('cache', cache.status)
  if (nix !== undefined) {
    outputs.set('nix-version', nix.version)
    outputs.set('sandbox', String(nix.sandbox))
  }
  if (sbom !== undefined) outputs.set('sbom', sbom.map(({ files }) => files[0]).join('\n'))
  // All of the above by their names, and under `details` what they are made of.
  outputs.set('metadata', JSON.stringify({ ...Object.fromEntries(outputs), details: report }))
  return outputs
}
