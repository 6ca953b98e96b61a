import assert from 'node:assert/strict'
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
  name: z.string().optional(),
  on: z.union([
    z.string().transform(name => ({ [name]: null })),
    z.record(z.string(), z.union([z.null(), filters, z.array(z.strictObject({ cron: z.string() }))])),
  ]),
  permissions: z.record(z.string(), z.enum(['read', 'write'])),
  jobs: z.record(z.string(), jobSchema),
})

/** A workflow with no more of GitHub's syntax than the examples and the README use. */
export type Workflow = z.infer<typeof workflowSchema>
type WorkflowJob = z.infer<typeof jobSchema>
type WorkflowStep = z.infer<typeof stepSchema>

/** @throws Error when something is in the text that is not known here */
export function parseWorkflow(text: string): Workflow {
  return workflowSchema.parse(parse(text))
}

/** The one job of a workflow that an event has started: a checkout, this action, and what comes later. */
export type Started = {
  readonly job: WorkflowJob
  readonly later: readonly WorkflowStep[]
  /** Each of the matrix, as this action gets it. */
  readonly legs: readonly Leg[]
}

type Leg = {
  readonly matrix: Readonly<Record<string, string>>
  readonly runsOn: readonly string[]
  readonly with: Readonly<Record<string, string>>
}

/**
 * What an event makes of a workflow with one job.
 * @param values of expressions besides those of the matrix, by what stands between `${{` and `}}`
 * @throws AssertionError when the event starts nothing, or the workflow is another one than all of ours are
 */
export function start(
  workflow: Workflow,
  event: Event,
  values: Readonly<Record<string, string>> = {},
): Started {
  assert.ok(isStartedBy(workflow, event), `nothing is started by ${event.name} of ${event.ref}`)
  const [job, another] = Object.values(workflow.jobs)
  assert.ok(job !== undefined && another === undefined)
  const [checkout, ours, ...later] = job.steps
  assert.equal(checkout?.uses, 'actions/checkout@v6')
  assert.equal(ours?.uses, 'org/nix-image-action@v1')
  const legs = combinations(job).map(matrix => {
    const ofMatrix = Object.entries(matrix).map(([key, value]) => [`matrix.${key}`, value])
    const all = { ...values, ...Object.fromEntries(ofMatrix) }
    const given = Object.entries(ours.with).map(([name, text]) => [name, put(text, all)])
    const runsOn = [job['runs-on']].flat().map(label => put(label, all))
    return { matrix, runsOn, with: Object.fromEntries(given) }
  })
  return { job, later, legs }
}

/**
 * Whether an event starts a workflow. What has been changed, `paths`, is not asked.
 * https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#on
 */
function isStartedBy({ on }: Workflow, event: Event): boolean {
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
function combinations({ strategy }: WorkflowJob): Record<string, string>[] {
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
 * A text with its expressions put in.
 * @param values by expression, as it stands between `${{` and `}}`
 * @throws Error for an expression that has no value
 */
function put(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\$\{\{\s*(.*?)\s*\}\}/g, (_, expression: string) => {
    const value = values[expression]
    if (value === undefined) throw new Error(`there is no value for \${{ ${expression} }}`)
    return value
  })
}
