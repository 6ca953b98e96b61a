import { readFile } from 'node:fs/promises'
import { matchesGlob } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import type { Event } from './runner/events.ts'

const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String)
const stepSchema = z.strictObject({
  uses: z.string().optional(),
  run: z.string().optional(),
  id: z.string().optional(),
  with: z.record(z.string(), scalar).default({}),
})
const jobSchema = z.strictObject({
  'runs-on': z.union([z.string(), z.array(z.string())]),
  container: z.string().optional(),
  strategy: z
    .strictObject({
      'fail-fast': z.boolean().optional(),
      matrix: z.record(z.string(), z.array(z.union([scalar, z.record(z.string(), scalar)]))),
    })
    .optional(),
  steps: z.array(stepSchema),
})
const filters = z.strictObject({
  branches: z.array(z.string()).optional(),
  tags: z.array(z.string()).optional(),
  paths: z.array(z.string()).optional(),
})
const workflowSchema = z.strictObject({
  name: z.string(),
  on: z.union([
    z.string().transform(name => ({ [name]: null })),
    z.record(z.string(), z.union([z.null(), filters, z.array(z.strictObject({ cron: z.string() }))])),
  ]),
  permissions: z.record(z.string(), z.enum(['read', 'write'])),
  jobs: z.record(z.string(), jobSchema),
})

/** A workflow as an example has it, with no more of GitHub's syntax than the examples use. */
export type Workflow = z.infer<typeof workflowSchema>
export type WorkflowJob = z.infer<typeof jobSchema>
export type WorkflowStep = z.infer<typeof stepSchema>

/** @throws Error when something is in the file that is not known here */
export async function readWorkflow(file: string): Promise<Workflow> {
  return workflowSchema.parse(parse(await readFile(file, 'utf8')))
}

/**
 * Whether an event starts a workflow. What has been changed, `paths`, is not asked.
 * https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#on
 */
export function isStartedBy({ on }: Workflow, event: Event): boolean {
  if (!(event.name in on)) return false
  const { success, data } = filters.safeParse(on[event.name])
  if (event.name !== 'push' || !success || (data.branches ?? data.tags) === undefined) return true
  const [, kind, name = ''] = /^refs\/(heads|tags)\/(.+)$/.exec(event.ref) ?? []
  const wanted = kind === 'heads' ? data.branches : data.tags
  return wanted?.some(pattern => matchesGlob(name, pattern)) ?? false
}

/**
 * The combinations of a matrix; one without values where there is none.
 * https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#jobsjob_idstrategymatrix
 */
export function combinations({ strategy }: WorkflowJob): Record<string, string>[] {
  if (strategy === undefined) return [{}]
  const { include = [], ...axes } = strategy.matrix
  const names = Object.keys(axes)
  let found: Record<string, string>[] = names.length === 0 ? [] : [{}]
  for (const name of names)
    found = found.flatMap(one => (axes[name] ?? []).map(value => ({ ...one, [name]: String(value) })))
  const added: Record<string, string>[] = []
  for (const entry of include) {
    if (typeof entry === 'string') throw new Error(`${entry} is no combination`)
    const fitting = found.filter(one => names.every(name => !(name in entry) || one[name] === entry[name]))
    for (const one of fitting) Object.assign(one, entry)
    if (fitting.length === 0) added.push(entry)
  }
  return [...found, ...added]
}

/**
 * The `with:` of a step, its expressions put in.
 * @param values by expression, as it stands between `${{` and `}}`
 * @throws Error for an expression that has no value
 */
export function inputsOf(
  step: WorkflowStep,
  values: Readonly<Record<string, string>>,
): Record<string, string> {
  const put = (text: string) =>
    text.replace(/\$\{\{\s*(.*?)\s*\}\}/g, (_, expression: string) => {
      const value = values[expression]
      if (value === undefined) throw new Error(`there is no value for \${{ ${expression} }}`)
      return value
    })
  return Object.fromEntries(Object.entries(step.with).map(([name, text]) => [name, put(text)]))
}
