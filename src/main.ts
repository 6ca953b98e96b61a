import { main } from './action.ts'
import { githubRunner } from './runner/runner.ts'

await main(githubRunner(), process.env)
