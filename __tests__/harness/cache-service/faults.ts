import type { Call, Damage, Method } from './exchange.ts'

/** Which calls a fault or a hold is for. */
export type Target = {
  readonly method: Method | '*'
  /** Only calls about keys that begin so. */
  readonly key?: string
}

/**
 * What goes wrong: an answer with this status in place of the work, or
 * - `reset`: the connection is closed, nothing is done (the client says ECONNRESET)
 * - `hang`: never answered, until the service closes
 * - `lost`: the work is done and the connection closed before its answer
 * - `cut`: the connection ends in the middle of the body (of the request, where that has one to upload)
 * - `truncate`: only the first half is answered, as if that were all
 * - `corrupt`: one byte of the answer is another
 */
export type Trouble =
  | { readonly status: number; readonly message?: string; readonly retryAfter?: number }
  | { readonly kind: 'reset' | 'hang' | 'lost' | Damage }

export type FaultOptions = Target &
  Trouble & {
    /** How many calls meet it. @default all, until it is cleared */
    readonly times?: number
    /** How many calls are left alone before. @default 0 */
    readonly after?: number
  }

export type Fault = {
  /** How many calls have met it. */
  readonly hits: number
  clear(): void
}

export type HoldOptions = Target & {
  /** How many calls are left alone before. @default 0 */
  readonly after?: number
  /** How many calls have to stand still until `reached` settles. @default 1 */
  readonly count?: number
}

export type Hold = {
  /** Settles when as many calls as were asked for stand still, with the last of them. */
  readonly reached: Promise<Call>
  /** Lets what stands still pass; later calls do not stop any more. */
  release(): void
  /** Cuts the connections of what stands still: nothing is done for it, even if its client still runs. */
  drop(): void
}

type ActiveFault = { readonly options: FaultOptions; passed: number; hits: number }
type Verdict = 'pass' | 'drop'
type ActiveHold = Target & {
  readonly stand: (call: Call) => Promise<Verdict>
  readonly end: (verdict: Verdict) => void
}

/** What the tests have asked to go wrong, or to stand still. */
export class Faults {
  readonly #faults = new Set<ActiveFault>()
  readonly #holds = new Set<ActiveHold>()

  add(options: FaultOptions): Fault {
    const fault: ActiveFault = { options, passed: 0, hits: 0 }
    this.#faults.add(fault)
    return {
      get hits() {
        return fault.hits
      },
      clear: () => void this.#faults.delete(fault),
    }
  }

  /** The trouble that this call meets; of several faults that are meant for it, the oldest. */
  meet(call: Call): Trouble | undefined {
    for (const fault of this.#faults) {
      const { options } = fault
      if (!isFor(options, call)) continue
      if (fault.passed < (options.after ?? 0)) {
        fault.passed++
        continue
      }
      fault.hits++
      if (fault.hits >= (options.times ?? Infinity)) this.#faults.delete(fault)
      return options
    }
    return undefined
  }

  hold({ after = 0, count = 1, ...target }: HoldOptions): Hold {
    const reached = Promise.withResolvers<Call>()
    const released = Promise.withResolvers<Verdict>()
    let seen = 0
    const hold: ActiveHold = {
      ...target,
      stand: async call => {
        seen++
        if (seen <= after) return 'pass'
        if (seen === after + count) reached.resolve(call)
        return released.promise
      },
      end: verdict => {
        this.#holds.delete(hold)
        released.resolve(verdict)
      },
    }
    this.#holds.add(hold)
    return { reached: reached.promise, release: () => hold.end('pass'), drop: () => hold.end('drop') }
  }

  /** Settles when no hold keeps the call any more. */
  async stand(call: Call): Promise<Verdict> {
    for (const hold of this.#holds) {
      if (isFor(hold, call) && (await hold.stand(call)) === 'drop') return 'drop'
    }
    return 'pass'
  }

  dropAll(): void {
    for (const hold of this.#holds) hold.end('drop')
  }
}

function isFor(target: Target, call: Call): boolean {
  return (
    (target.method === '*' || target.method === call.method) &&
    (target.key === undefined || call.key?.startsWith(target.key) === true)
  )
}
