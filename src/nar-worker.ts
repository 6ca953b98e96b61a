import { serveNars } from './cache/nar-worker.ts'

serveNars()
