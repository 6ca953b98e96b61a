import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { deflatePool } from '../gzip/pool.ts'
import { messageOf, UserError } from '../util/errors.ts'
import { type LayerWork, makeLayer } from './make-layer.ts'
import type { MadeLayer } from './model.ts'

export type LayerResult =
  | { readonly made: MadeLayer }
  /** An error as what of it passes from thread to thread. */
  | {
      readonly message: string
      /** Undefined when it is none that the user can do something about. */
      readonly user: { readonly advice?: string; readonly detail?: string } | undefined
    }

/** What the thread is started with: ways to threads that compress, where there are any. */
export type LayerWorkerData = { readonly ports: readonly MessagePort[] }

/** The thread: for each work that it is sent it sends one result. */
export function serveLayers(): void {
  const { ports } = workerData as LayerWorkerData
  const pool = ports.length === 0 ? undefined : deflatePool(ports)
  parentPort?.on('message', (work: LayerWork) => {
    makeLayer(work, pool).then(
      made => answer({ made }),
      error => answer({ message: messageOf(error), user: ofUser(error) }),
    )
  })
}

function answer(result: LayerResult): void {
  parentPort?.postMessage(result)
}

function ofUser(error: unknown): { advice?: string; detail?: string } | undefined {
  if (!(error instanceof UserError)) return undefined
  const { advice, detail } = error
  return { ...(advice === undefined ? {} : { advice }), ...(detail === undefined ? {} : { detail }) }
}
