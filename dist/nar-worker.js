import { serveNars } from './cache/nar-worker.js'

serveNars()
