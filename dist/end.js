import { removeSecrets } from './nix/conf.js'
import { endJob } from './nix/jobs.js'
import { folderState, placesIn, removePlaces } from './places.js'
import { attempt } from './runner/runner.js'
import { endTrial } from './steps/load.js'
import { save } from './steps/save.js'

/** The end of the job. Warns at most: what was built and pushed stays so, whatever happens to the cache. */
export async function post(runner, env) {
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
