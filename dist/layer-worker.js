import { serveLayers } from './registry/layer-worker.js'

serveLayers()
