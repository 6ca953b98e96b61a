import { fileRules } from './file-rules.ts'
import type { Finding, Rule, Subject } from './model.ts'
import { programRules } from './program-rules.ts'

const rules: readonly Rule[] = [...programRules, ...fileRules]

/** Names that findings can have: what can be turned off. */
export const ruleNames: readonly string[] = rules.flatMap(({ names }) => names)

const severities: readonly Finding['severity'][] = ['error', 'warning', 'hint']

/**
 * What all rules find, the worst first.
 * @param ignored names of findings that are not wanted
 */
export function inspect(subject: Subject, ignored: readonly string[]): Finding[] {
  return rules
    .flatMap(rule => [...rule.inspect(subject)])
    .filter(({ rule }) => !ignored.includes(rule))
    .sort((a, b) => severities.indexOf(a.severity) - severities.indexOf(b.severity))
}
