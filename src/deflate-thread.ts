import { serveDeflate } from './gzip/thread.ts'

serveDeflate()
