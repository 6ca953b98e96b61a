import { createReadStream, createWriteStream, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { secret } from './tokens.ts'

export type Right = 'read' | 'write'

type Signature = { readonly blob: string; readonly right: Right; readonly key: string }

/** Blobs as files of one directory, and the signatures that open them. Never holds one in memory. */
export class Blobs {
  readonly #directory: string
  readonly #signatures = new Map<string, Signature>()
  #parts = 0

  constructor(directory: string) {
    this.#directory = directory
    mkdirSync(directory, { recursive: true })
  }

  /** A new signature that lets whoever has it read or write one blob. */
  sign(blob: string, right: Right, key: string): string {
    const signature = secret()
    this.#signatures.set(signature, { blob, right, key })
    return signature
  }

  /** The key of the entry that the signature opens this blob for; `undefined` when it does not. */
  opens(signature: string, blob: string, right: Right): string | undefined {
    const found = this.#signatures.get(signature)
    return found?.blob === blob && found.right === right ? found.key : undefined
  }

  /** From now on nobody can write this blob. */
  seal(blob: string): void {
    for (const [text, signature] of this.#signatures) {
      if (signature.blob === blob && signature.right === 'write') this.#signatures.delete(text)
    }
  }

  signatures(): string[] {
    return [...this.#signatures.keys()]
  }

  path(blob: string): string {
    return join(this.#directory, blob)
  }

  /** In bytes; `undefined` when there is no such blob. */
  size(blob: string): number | undefined {
    return statSync(this.path(blob), { throwIfNoEntry: false })?.size
  }

  /** Writes a blob, which is not there before it is complete. Throws when the body breaks off. */
  async write(blob: string, body: AsyncIterable<Buffer>): Promise<void> {
    const part = `${this.path(blob)}.part${++this.#parts}`
    try {
      await pipeline(body, createWriteStream(part))
      await rename(part, this.path(blob))
    } finally {
      await rm(part, { force: true })
    }
  }

  async stage(blob: string, block: string, body: AsyncIterable<Buffer>): Promise<void> {
    await this.write(blockName(blob, block), body)
  }

  /** Makes a blob of its staged blocks. Gives false when one of them is missing. */
  async commit(blob: string, blocks: readonly string[]): Promise<boolean> {
    const files = blocks.map(block => blockName(blob, block))
    if (files.some(file => this.size(file) === undefined)) return false
    const paths = files.map(file => this.path(file))
    await this.write(blob, Readable.from(concatenated(paths)))
    for (const path of paths) await rm(path, { force: true })
    return true
  }

  remove(blob: string): void {
    for (const name of readdirSync(this.#directory)) {
      if (name === blob || name.startsWith(`${blob}.`)) rmSync(join(this.#directory, name), { force: true })
    }
  }
}

function blockName(blob: string, block: string): string {
  return `${blob}.block-${Buffer.from(block).toString('hex')}`
}

async function* concatenated(paths: readonly string[]): AsyncGenerator<Buffer> {
  for (const path of paths) yield* createReadStream(path)
}
