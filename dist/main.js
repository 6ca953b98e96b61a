import { main } from './action.js'
import { githubRunner } from './runner/runner.js'

await main(githubRunner(), process.env)
