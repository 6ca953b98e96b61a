import { serveParent } from './cache/substituter.js'

serveParent()
