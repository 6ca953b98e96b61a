import { post } from './end.ts'
import { githubRunner } from './runner/runner.ts'

await post(githubRunner(), process.env)
