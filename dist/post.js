import { post } from './end.js'
import { githubRunner } from './runner/runner.js'

await post(githubRunner(), process.env)
