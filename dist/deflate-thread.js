import { serveDeflate } from './gzip/thread.js'

serveDeflate()
