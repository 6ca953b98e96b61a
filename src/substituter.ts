import { serveParent } from './cache/substituter.ts'

serveParent()
