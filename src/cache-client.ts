import { answerOnce } from './cache/client.ts'

answerOnce()
