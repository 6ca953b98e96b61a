import { inspect } from '../check/inspect.ts'
import type { Finding, Subject } from '../check/model.ts'
import { parseRunConfig } from '../check/run-config.ts'
import type { Image } from '../image/model.ts'
import { formatPlatform } from '../image/platform.ts'
import type { RootFs } from '../image/rootfs/model.ts'
import { openRootFs } from '../image/rootfs/open.ts'
import { knownPaths } from '../image/store-paths.ts'
import type { Job } from '../job.ts'
import { pathInfo } from '../nix/cli.ts'
import type { Nix } from '../nix/model.ts'
import { sha256 } from '../util/digest.ts'
import { UserError } from '../util/errors.ts'
import { harmless } from '../util/harmless.ts'
import { count } from '../util/text.ts'

const store = '/nix/store'

/**
 * Looks into the images for what will fail at run time, and tells what it found.
 * @throws UserError when one of them would fail for certain, and `check` is `error`
 */
export async function check(job: Job, nix: Nix, images: readonly Image[]): Promise<void> {
  const { inputs, report, runner, signal } = job
  const found: (Finding & { readonly platform: string })[] = []
  for (const image of images) {
    const platform = formatPlatform(image.platform)
    for (const finding of await findingsOf(job, nix, image)) found.push({ ...finding, platform })
    signal.throwIfAborted()
  }
  report.check = { findings: found, ignored: inputs.checkIgnored }
  if (found.length === 0) return
  const several = images.length > 1
  const text = (finding: (typeof found)[number]) =>
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

async function findingsOf(job: Job, nix: Nix, image: Image): Promise<Finding[]> {
  // Which layers they are does not matter for how a container starts.
  const config = parseRunConfig(image.config(image.layers.map(({ diffId }) => diffId ?? sha256(''))))
  const fs = await openRootFs(image, { scratch: job.places.scratch })
  try {
    const references = await referencesOf(nix, fs)
    return inspect({ fs, config, platform: image.platform, references }, job.inputs.checkIgnored)
  } finally {
    await fs.close()
  }
}

/** Who refers to what among the image's store paths, as far as this store has them. */
async function referencesOf(nix: Nix, fs: RootFs): Promise<Subject['references']> {
  const paths = fs.list(store).map(name => `${store}/${name}`)
  const infos = await knownPaths(paths, store, paths => pathInfo(nix, paths))
  return new Map([...infos].map(([path, { references }]) => [path, references.filter(to => to !== path)]))
}
