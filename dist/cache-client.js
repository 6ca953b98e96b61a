import { answerOnce } from './cache/client.js'

answerOnce()
