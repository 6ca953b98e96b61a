/** A step's log as a terminal may show it: GitHub folds its groups, here they have a title. */
export function readableLog(log: string): string {
  return log
    .replace(/^##\[endgroup\]\n?/gm, '')
    .replace(/^##\[group\]/gm, '▸ ')
    .trimEnd()
}

/** The markdown of a job's summary without its HTML, which is there for GitHub's page: text has no `<` of its own. */
export function readableSummary(markdown: string): string {
  return markdown
    .replaceAll('<summary>', '▸ ')
    .replace(/<\/?(?:code|details|summary)>/g, '')
    .replace(/\n{3,}/g, '\n\n')
    .trim()
}
