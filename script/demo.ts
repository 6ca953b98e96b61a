// Two jobs with the same image, each on a fresh machine: see script/demo.
import { World } from '../__tests__/harness/world.ts'
import { formatSeconds } from '../src/util/text.ts'
import { nixRelease } from './parts/paths.ts'

/** In a frame, so that it is seen where the log ends and where the text for the job's page begins. */
function framed(title: string, text: string): string {
  const lines = text
    .trim()
    .split('\n')
    .map(line => `│ ${line}`.trimEnd())
  return [`┌─ ${title}`, '│', ...lines, '└─'].join('\n')
}

console.log(`── Nix ${nixRelease().releases[0]?.version}`)

await using world = await World.create({ template: 'redis' })
console.log(
  '── The sample: a flake whose image holds Redis, made of Debian packages (__tests__/flakes/redis)',
)
console.log("── Each job's log comes when the job has ended, in some 15 seconds")
const took: string[] = []
for (const [title, hint] of [
  ['Cold', 'a fresh machine, an empty cache and an empty registry'],
  ['Warm', 'another fresh machine, with what the first one saved'],
]) {
  console.log(`\n━━ ${title}: ${hint}\n`)
  world.registry.forget()
  world.cache.forget()
  const { main, post } = await world.run()
  console.log(main.log)
  if (main.code !== 0) throw new Error('the step failed')
  console.log(post.log)
  const summary = `${main.summary}\n${post.summary}`
  console.log(`\n${framed("The job's summary, in markdown, which GitHub shows below the job", summary)}`)
  took.push(`${title}: ${formatSeconds(main.seconds)}, and ${formatSeconds(post.seconds)} after the job`)
}
console.log(`\n━━ ${took.join('. ')}. The registry, and the image in it, are gone now.`)
