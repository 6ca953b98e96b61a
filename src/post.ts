import { post } from './action.ts'
import { githubRunner } from './runner/runner.ts'

await post(githubRunner(), process.env)
