/**
 * What GitHub's client is asked to do, with something that lies directly in `folder`: the client makes the name that it
 * is given part of the entry's identity, so it must be the same wherever a runner has its folders.
 */
export type EntryRequest = { readonly folder: string; readonly key: string } & (
  | {
      readonly restore: string
      readonly prefixes: readonly string[]
      /** Only look whether there is one. */
      readonly lookupOnly: boolean
    }
  | { readonly save: string }
)

/** `done` is the key that was found, or whether it was saved; what went wrong the client mostly prints. */
export type EntryAnswer = { readonly done: string | boolean } | { readonly problem: string }

/** The line that ends what was printed for one request: nothing else prints a NUL. */
export const endOfWords = '\0'
