/** Which requests a fault or a hold is for; what is not given fits all. */
export type Target = {
  readonly method?: string
  /** Fits the path, without its query. */
  readonly path?: RegExp
}

/**
 * What goes wrong: this answer in place of the work, before the request's body is read, or
 * - `reset`: the connection is reset, nothing is done
 * - `cut`: the same, after some of the body came
 * - `lost`: the work is done and its answer lost by a reset
 * - `hang`: never answered, until the registry closes
 */
export type Trouble = Answer | { readonly kind: 'reset' | 'cut' | 'lost' | 'hang' }

export type Answer = {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

export type FaultOptions = Target & {
  /** How many requests meet it. @default all, until it is cleared */
  readonly times?: number
  /** How many requests are left alone before. @default 0 */
  readonly after?: number
}

export type Fault = {
  /** How many requests have met it. */
  readonly hits: number
  clear(): void
}

export type HoldOptions = Target & {
  /** How many requests stand still. @default all, until they are released */
  readonly times?: number
  /** How many requests are left alone before. @default 0 */
  readonly after?: number
}

export type Hold = {
  /** Settles when the first request stands still. */
  readonly reached: Promise<void>
  /** Lets what stands still pass; later requests do not stop any more. */
  release(): void
}

/** Answers that GHCR is known for. */
export const ghcr = {
  deniedLogin: errors(403, 'DENIED', 'denied'),
  writePackage: errors(403, 'DENIED', 'permission_denied: write_package'),
  notAllowedToCreate: errors(403, 'DENIED', 'installation not allowed to Create organization package'),
  tooManyRequests: errors(429, 'TOOMANYREQUESTS', 'retry-after: 10.305464ms, allowed: 2000/minute'),
  secondaryLimit: errors(403, 'DENIED', 'You have exceeded a secondary rate limit.'),
  chunkTooLarge: errors(
    416,
    'REQUESTED_RANGE_NOT_SATISFIABLE',
    'the request body is too large and exceeds the maximum permissible limit of 4.00MiB',
  ),
  unknownBlob: errors(404, 'BLOB_UNKNOWN', 'unknown blob'),
  manifestBlobUnknown: errors(404, 'MANIFEST_BLOB_UNKNOWN', 'manifest blob unknown'),
} as const

export function errors(status: number, code: string, message: string): Answer {
  return { status, body: { errors: [{ code, message }] } }
}

type ActiveFault = { readonly options: FaultOptions & Trouble; passed: number; hits: number }
type ActiveHold = Target & { stand(): Promise<void> | undefined; end(): void }

/** What the tests have asked to go wrong, or to stand still. */
export class Troubles {
  readonly #faults = new Set<ActiveFault>()
  readonly #holds = new Set<ActiveHold>()

  add(options: FaultOptions & Trouble): Fault {
    const fault: ActiveFault = { options, passed: 0, hits: 0 }
    this.#faults.add(fault)
    return {
      get hits() {
        return fault.hits
      },
      clear: () => void this.#faults.delete(fault),
    }
  }

  /** The trouble that a request meets; of several that are meant for it, the oldest. */
  meet(method: string, path: string): Trouble | undefined {
    for (const fault of this.#faults) {
      if (!fits(fault.options, method, path)) continue
      if (fault.passed < (fault.options.after ?? 0)) {
        fault.passed++
        continue
      }
      fault.hits++
      if (fault.hits >= (fault.options.times ?? Number.POSITIVE_INFINITY)) this.#faults.delete(fault)
      return fault.options
    }
    return undefined
  }

  hold({ times = Number.POSITIVE_INFINITY, after = 0, ...target }: HoldOptions): Hold {
    let passed = 0
    let standing = 0
    const reached = Promise.withResolvers<void>()
    const released = Promise.withResolvers<void>()
    const hold: ActiveHold = {
      ...target,
      stand: () => {
        if (passed++ < after) return undefined
        if (++standing >= times) this.#holds.delete(hold)
        reached.resolve()
        return released.promise
      },
      end: () => {
        this.#holds.delete(hold)
        released.resolve()
      },
    }
    this.#holds.add(hold)
    return { reached: reached.promise, release: hold.end }
  }

  /** Settles when no hold keeps the request any more. */
  async stand(method: string, path: string): Promise<void> {
    for (const hold of this.#holds) if (fits(hold, method, path)) await hold.stand()
  }

  releaseAll(): void {
    for (const hold of this.#holds) hold.end()
  }
}

function fits(target: Target, method: string, path: string): boolean {
  return (target.method === undefined || target.method === method) && (target.path?.test(path) ?? true)
}
