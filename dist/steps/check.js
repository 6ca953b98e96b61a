import { inspectImage } from '../check/inspect.js'

import { formatPlatform } from '../image/platform.js'

import { pathInfo } from '../nix/cli.js'

import { UserError } from '../util/errors.js'
import { harmless } from '../util/harmless.js'
import { count } from '../util/text.js'

/**
 * Looks into the images for what will fail at run time, and tells what it found.
 * @throws UserError when one of them would fail for certain, and `check` is `error`
 */
export async function check(job, nix, images) {
  const { inputs, places, report, runner, signal } = job
  const found = []
  for (const image of images) {
    const platform = formatPlatform(image.platform)
    const findings = await inspectImage(image, {
      ...{ ignored: inputs.checkIgnored, scratch: places.scratch },
      pathInfo: paths => pathInfo(nix, paths),
    })
    for (const finding of findings) found.push({ ...finding, platform })
    signal.throwIfAborted()
  }
  report.check = { findings: found, ignored: inputs.checkIgnored }
  if (found.length === 0) return
  const several = images.length > 1
  const text = finding =>
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
