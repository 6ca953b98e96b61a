import { answerAll } from './cache/client.ts'

answerAll()
