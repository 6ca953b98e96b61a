import { serveLayers } from './registry/layer-worker.ts'

serveLayers()
