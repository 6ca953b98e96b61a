// Three jobs with the same image, each on a fresh machine: see script/demo.
import { changeApp } from '../__tests__/harness/change.ts'
import { World } from '../__tests__/harness/world.ts'
import { formatSeconds } from '../src/util/text.ts'
import { nixRelease } from './parts/paths.ts'
import { readableLog, readableSummary } from './terminal.ts'

/** In a frame, so that it is seen where the log ends and where the text for the job's page begins. */
function framed(title: string, text: string): string {
  const lines = text.split('\n').map(line => `│ ${line}`.trimEnd())
  return [`┌─ ${title}`, '│', ...lines, '└─'].join('\n')
}

const jobs = [
  { title: 'Cold', hint: 'a fresh machine, an empty cache and an empty registry' },
  { title: 'Unchanged', hint: 'another fresh machine, the same commit: nothing is built' },
  {
    title: 'Changed',
    hint: 'another fresh machine, one file changed: the cache has the rest, and one layer is sent',
    change: changeApp,
  },
]

console.log(`── Nix ${nixRelease().releases[0]?.version}`)
await using world = await World.create({ template: 'redis' })
console.log(
  '── The sample: a flake whose image holds Redis, made of Debian packages (__tests__/flakes/redis)',
)
console.log("── Each job's log comes when the job has ended, in some 15 seconds")
const took: string[] = []
for (const { title, hint, ...options } of jobs) {
  console.log(`\n━━ ${title}: ${hint}\n`)
  const { main, post } = await world.run(options)
  console.log(readableLog(`${main.log}\n${post.log}`))
  if (main.code !== 0 || post.code !== 0) throw new Error('the step failed')
  const summary = readableSummary(`${main.summary}\n\n${post.summary}`)
  console.log(`\n${framed("The job's summary, which GitHub shows below the job", summary)}`)
  took.push(`${title}: ${formatSeconds(main.seconds)}, and ${formatSeconds(post.seconds)} after the job.`)
}
console.log(`\n━━ ${took.join(' ')}`)
console.log("   With the start of each program, which the summaries' times are without.")
console.log('   The registry, and the images in it, are gone now.')
