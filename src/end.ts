import { removeSecrets } from './nix/conf.ts'
import { endJob } from './nix/jobs.ts'
import { folderState, placesIn, removePlaces } from './places.ts'
import { attempt, type Runner } from './runner/runner.ts'
import { endTrial } from './steps/load.ts'
import { save } from './steps/save.ts'

/** The end of the job. Warns at most: what was built and pushed stays so, whatever happens to the cache. */
export async function post(runner: Runner, env: NodeJS.ProcessEnv): Promise<void> {
  const folder = runner.state(folderState)
  if (folder === '') return
  const places = placesIn(folder)
  // First, so that nothing below can leave it behind.
  await attempt(runner, 'Tokens, logins and keys were not removed', () => removeSecrets(places.confFile))
  await attempt(runner, 'The image under test was not removed', () => endTrial(places, env))
  await attempt(runner, 'The store cache was not saved', () => save(places, runner, env))
  await attempt(runner, 'The end of this job was not noted', () => endJob(folder))
  await attempt(runner, `${folder} was not removed`, () => removePlaces(places))
}
