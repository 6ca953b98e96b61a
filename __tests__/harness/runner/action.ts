import { cp, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'

const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String)
const actionSchema = z.object({
  name: z.string(),
  description: z.string(),
  inputs: z
    .record(
      z.string(),
      z.object({ description: z.string(), required: z.boolean().optional(), default: scalar.optional() }),
    )
    .default({}),
  runs: z.object({
    using: z.literal('node24'),
    main: z.string(),
    post: z.string().optional(),
    'post-if': z.string().default('always()'),
  }),
})
export type Action = z.infer<typeof actionSchema>

/** @throws Error when action.yml lacks something that the runner needs for a JavaScript action */
export async function readAction(folder: string): Promise<Action> {
  return actionSchema.parse(parse(await readFile(join(folder, 'action.yml'), 'utf8')))
}

/** Copies what a job needs of an action: no node_modules, so that nothing is found there by chance. */
export async function installAction(action: Action, from: string, to: string): Promise<void> {
  const parts = [action.runs.main, action.runs.post ?? ''].map(path => path.split('/')[0] ?? '')
  const wanted = new Set(['action.yml', 'package.json', ...parts])
  for (const name of await readdir(from))
    if (wanted.has(name)) await cp(join(from, name), join(to, name), { recursive: true })
}

/**
 * The `INPUT_*` variables of a step. As in the runner every declared input has one, and what is not
 * declared is handed on all the same and warned of.
 * @param github the context `github` of expressions in defaults
 */
export function inputVariables(
  action: Action,
  given: Readonly<Record<string, string>>,
  github: Readonly<Record<string, string>>,
): { variables: Record<string, string>; unexpected: string[] } {
  const declared = new Map(Object.entries(action.inputs).map(([name, input]) => [name.toLowerCase(), input]))
  const values = new Map<string, string>()
  for (const [name, input] of declared) values.set(name, evaluate(input.default ?? '', github))
  for (const [name, value] of Object.entries(given)) values.set(name.toLowerCase(), value)
  return {
    variables: Object.fromEntries(
      [...values].map(([name, value]) => [`INPUT_${name.replaceAll(' ', '_').toUpperCase()}`, value]),
    ),
    unexpected: Object.keys(given).filter(name => !declared.has(name.toLowerCase())),
  }
}

/** Puts in what `${{ github.… }}` stands for. @throws Error for any other expression */
export function evaluate(text: string, github: Readonly<Record<string, string>>): string {
  return text.replace(/\$\{\{(.*?)\}\}/g, (expression, inside: string) => {
    const name = /^\s*github\.(\w+)\s*$/.exec(inside)?.[1] ?? ''
    const value = github[name]
    if (value === undefined) throw new Error(`the harness cannot evaluate ${expression}`)
    return value
  })
}

/** Whether a post step runs after steps that succeeded or not. @throws Error for what it does not know */
export function postRuns(condition: string, succeeded: boolean): boolean {
  const known: Readonly<Record<string, boolean>> = {
    'always()': true,
    'success()': succeeded,
    'failure()': !succeeded,
    '!cancelled()': true,
  }
  const runs = known[condition.trim()]
  if (runs === undefined) throw new Error(`the harness cannot evaluate post-if: ${condition}`)
  return runs
}
