import { inspect } from '../check/inspect.ts'
import type { Finding } from '../check/model.ts'
import { parseRunConfig } from '../check/run-config.ts'
import type { Image } from '../image/model.ts'
import { formatPlatform } from '../image/platform.ts'
import type { RootFs } from '../image/rootfs/model.ts'
import type { Job } from '../job.ts'
import type { PathInfo } from '../nix/model.ts'
import { sha256 } from '../util/digest.ts'
import { UserError } from '../util/errors.ts'
import { harmless } from '../util/harmless.ts'
import { count } from '../util/text.ts'

export type PlatformFinding = Finding & { readonly platform: string }

/**
 * Tells what the inspection of the images found.
 * @param several whether there are several images
 * @throws UserError when one of them would fail for certain, and `check` is `error`
 */
export async function tellFindings(
  job: Job,
  found: readonly PlatformFinding[],
  several: boolean,
): Promise<void> {
  const { inputs, report, runner } = job
  report.check = { findings: found, ignored: inputs.checkIgnored }
  if (found.length === 0) return
  const text = (finding: PlatformFinding) =>
    harmless(
      `${finding.severity}: ${several ? `${finding.platform}: ` : ''}${finding.place} (${finding.rule})\n    ${finding.why}\n    ${finding.fix}`,
    )
  await runner.group(`Inspection: ${count(found.length, 'finding')}`, async () => {
    for (const finding of found) runner.info(text(finding))
  })
  const errors = found.filter(({ severity }) => severity === 'error')
  const [first, ...others] = inputs.check === 'error' && errors.length > 0 ? errors : []
  if (first !== undefined) {
    const more = others.length === 0 ? '' : `, and ${count(others.length, 'more error')} of the inspection`
    throw new UserError(`The image would not work: ${first.place}: ${first.why}${more}`, {
      advice: `${first.fix} To publish it as it is, set \`check: warn\`, or \`check-ignore: ${[...new Set(errors.map(({ rule }) => rule))].join(' ')}\`.`,
      ...(others.length === 0 ? {} : { detail: errors.map(text).join('\n') }),
    })
  }
  for (const { severity, place, why, fix, rule } of found)
    if (severity !== 'hint') runner.warning(harmless(`${place}: ${why} ${fix} (${rule})`))
}

/**
 * Looks into an image for what will fail at run time.
 * @param known what this store has of the image's store paths
 */
export function findingsOf(
  job: Job,
  image: Image,
  fs: RootFs,
  known: ReadonlyMap<string, PathInfo>,
): PlatformFinding[] {
  // Which layers they are does not matter for how a container starts.
  const config = parseRunConfig(image.config(image.layers.map(({ diffId }) => diffId ?? sha256(''))))
  const references = new Map(
    [...known].map(([path, { references }]) => [path, references.filter(to => to !== path)]),
  )
  const { platform } = image
  return inspect({ fs, config, platform, references }, job.inputs.checkIgnored).map(finding => ({
    ...finding,
    platform: formatPlatform(platform),
  }))
}
