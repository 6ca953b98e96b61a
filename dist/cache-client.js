import { answerAll } from './cache/client.js'

answerAll()
