import { parentPort, workerData } from 'node:worker_threads'
import { deflatePool } from '../gzip/pool.js'
import { messageOf, UserError } from '../util/errors.js'
import { makeLayer } from './make-layer.js'

/** The thread: for each work that it is sent it sends one result. */
export function serveLayers() {
  const { ports } = workerData
  const pool = ports.length === 0 ? undefined : deflatePool(ports)
  parentPort?.on('message', work => {
    makeLayer(work, pool).then(
      made => answer({ made }),
      error => answer({ message: messageOf(error), user: ofUser(error) }),
    )
  })
}

function answer(result) {
  parentPort?.postMessage(result)
}

function ofUser(error) {
  if (!(error instanceof UserError)) return undefined
  const { advice, detail } = error
  return { ...(advice === undefined ? {} : { advice }), ...(detail === undefined ? {} : { detail }) }
}
