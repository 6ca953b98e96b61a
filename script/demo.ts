// Two jobs with the same image, each on a fresh machine: see script/demo.
import { World } from '../__tests__/harness/world.ts'
import { formatSeconds } from '../src/util/text.ts'
import { nixRelease } from './parts/paths.ts'

const { source, releases } = nixRelease()
console.log(`── Nix ${releases[0]?.version} comes from ${source}`)

await using world = await World.create({ template: 'redis' })
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
  console.log(
    `\n── Its summary, as GitHub renders it below the job (${formatSeconds(main.seconds + post.seconds)} in all)\n`,
  )
  console.log(`${main.summary}\n${post.summary}`)
}
