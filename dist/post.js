import { post } from './action.js'
import { githubRunner } from './runner/runner.js'

await post(githubRunner(), process.env)
