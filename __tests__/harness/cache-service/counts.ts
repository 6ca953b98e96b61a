import type { Call, Method } from './exchange.ts'

export type Count = { calls: number; bytesIn: number; bytesOut: number }

export type Counts = Readonly<Record<Method | 'total', Readonly<Count>>>

/** Sums calls and bytes up by method. A method that was never called counts 0. */
export function countCalls(calls: readonly Call[]): Counts {
  const counts: Record<Method | 'total', Count> = {
    CreateCacheEntry: nothing(),
    FinalizeCacheEntryUpload: nothing(),
    GetCacheEntryDownloadURL: nothing(),
    UploadBlob: nothing(),
    StageBlock: nothing(),
    CommitBlockList: nothing(),
    DownloadBlob: nothing(),
    HeadBlob: nothing(),
    ListCaches: nothing(),
    DeleteCachesByKey: nothing(),
    DeleteCacheById: nothing(),
    Unknown: nothing(),
    total: nothing(),
  }
  for (const call of calls) {
    for (const count of [counts[call.method], counts.total]) {
      count.calls++
      count.bytesIn += call.bytesIn
      count.bytesOut += call.bytesOut
    }
  }
  return counts
}

function nothing(): Count {
  return { calls: 0, bytesIn: 0, bytesOut: 0 }
}
