import { code, codeBlock, cut, plain, quote, words } from '../util/markdown.js'
import { count } from '../util/text.js'

const most = { lines: 60, text: 4000, logLines: 12, logLine: 500 }

/** In one line how the run ended. Markdown. */
export function heading(report) {
  const { push, failure, unpushed, build, cache } = report
  if (failure !== undefined) {
    const what = failure.cancelled ? '🚫 Cancelled' : `❌ ${whatFailed(report)}`
    // A push that ends early may have published the image, and some of the tags.
    return push !== undefined || failure.phase === 'push' ? what : `${what}: nothing was published`
  }
  if (push === undefined) {
    if (unpushed !== undefined && build === undefined) return `✅ Nothing was published: ${words(unpushed)}`
    if (build === undefined || build.outPaths.length === 0) {
      const done = 'what was asked for is built'
      return cache?.status === 'off' ? `✅ Done: ${done}` : `✅ The store cache is warm: ${done}`
    }
    return `✅ The image was built, not pushed${unpushed === undefined ? '' : `: ${words(unpushed)}`}`
  }
  const name = code(push.name)
  if (push.waiting.length > 0)
    return `⏳ Pushed for ${push.images.map(({ platform }) => code(platform)).join(', ')}: ${name}`
  if (push.changed) return `📦 Published: ${name}`
  if (push.tagged.length === 0) return `✅ Unchanged: ${name}`
  return `🏷️ Unchanged image, ${count(push.tagged.length, 'tag')} set: ${name}`
}

function whatFailed({ failure, check }) {
  const phase = failure?.phase
  if (phase === undefined) return 'Failed'
  if (phase === 'test') return 'The test failed'
  const isBroken = check?.findings.some(({ severity }) => severity === 'error')
  return phase === 'inspect' && isBroken ? 'The image would not work' : `Could not ${plain(phase)}`
}

/** What happened, what to do, and the end of the log: blocks of markdown, none where nothing failed. */
export function failure({ failure }) {
  if (failure === undefined) return []
  const { message, advice, detail } = failure
  const lines = message.split('\n')
  const shown = lines.slice(0, most.lines).join('\n')
  return [
    quote(cut(shown, most.text) + (lines.length > most.lines ? '\n…' : '')),
    advice === undefined ? '' : `**What to do**: ${words(cut(advice, most.text))}`,
    detail === undefined ? '' : codeBlock(endOf(detail)),
  ]
}

/** What went wrong is at the end of a log. */
function endOf(detail) {
  const lines = detail.trimEnd().split(/\r\n?|\n/)
  const last = lines.slice(-most.logLines).map(line => cut(line, most.logLine))
  return [...(lines.length > last.length ? ['…'] : []), ...last].join('\n')
}
