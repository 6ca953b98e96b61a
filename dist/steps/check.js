import { inspectImage } from '../check/inspect.js'

import { formatPlatform } from '../image/platform.js'

import { pathInfo } from '../nix/cli.js'

import { isDiskFull, LimitError, messageOf, UserError } from '../util/errors.js'
import { harmless } from '../util/harmless.js'
import { count } from '../util/text.js'

/** That are told: a hostile image has as many findings as it likes, and GitHub shows ten annotations of a step. */
const most = { logged: 200, annotated: 20 }

/**
 * Looks into the images for what will fail at run time, and tells what it found.
 * @throws UserError when one of them would fail for certain, and `check` is `error`
 */
export async function check(job, nix, images) {
  const { inputs, places, report, runner, signal } = job
  const found = []
  const uninspected = []
  report.check = { findings: found, ignored: inputs.checkIgnored, uninspected }
  for (const image of images) {
    const platform = formatPlatform(image.platform)
    try {
      const findings = await inspectImage(image, {
        ...{ ignored: inputs.checkIgnored, scratch: places.scratch },
        pathInfo: paths => pathInfo(nix, paths),
      })
      for (const finding of findings) found.push({ ...finding, platform })
    } catch (error) {
      uninspected.push(platform)
      signal.throwIfAborted()
      // What is damaged could not be pushed, either.
      if (!(error instanceof LimitError || isDiskFull(error))) throw error
      runner.warning(harmless(`The image for ${platform} was not inspected: ${messageOf(error)}`))
    }
    signal.throwIfAborted()
  }
  if (found.length === 0) return
  const several = images.length > 1
  const text = finding =>
    harmless(
      `${finding.severity}: ${several ? `${finding.platform}: ` : ''}${finding.place} (${finding.rule})\n    ${finding.why}\n    ${finding.fix}`,
    )
  await runner.group(`Inspection: ${count(found.length, 'finding')}`, async () => {
    for (const finding of found.slice(0, most.logged)) runner.info(text(finding))
    if (found.length > most.logged) runner.info(`${count(found.length - most.logged, 'more finding')}.`)
  })
  const errors = found.filter(({ severity }) => severity === 'error')
  const [first, ...others] = inputs.check === 'error' && errors.length > 0 ? errors : []
  if (first !== undefined) {
    const more = others.length === 0 ? '' : `, and ${count(others.length, 'more error')} of the inspection`
    throw new UserError(harmless(`The image would not work: ${first.place}: ${first.why}${more}`), {
      advice: harmless(
        `${first.fix} To publish it as it is, set \`check: warn\`, or \`check-ignore: ${[...new Set(errors.map(({ rule }) => rule))].join(' ')}\`.`,
      ),
      ...(others.length === 0 ? {} : { detail: errors.slice(0, most.annotated).map(text).join('\n') }),
    })
  }
  const worse = found.filter(({ severity }) => severity !== 'hint')
  for (const { place, why, fix, rule } of worse.slice(0, most.annotated))
    runner.warning(harmless(`${place}: ${why} ${fix} (${rule})`))
  if (worse.length > most.annotated)
    runner.warning(`${count(worse.length - most.annotated, 'more finding')} of the inspection: see the log`)
}
