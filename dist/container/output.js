import { harmless } from '../util/harmless.js'
import { cut } from '../util/markdown.js'

/** Lines that the log of the job gets, those that are kept for an error, and characters of one. */
const most = { shown: 5000, kept: 40, line: 1000 }

/**
 * What a test prints: told line by line, as far as a log should hold it, and its end kept. None of it is obeyed as a
 * workflow command.
 */
export class TestOutput {
  #say
  #last = []
  #awaited
  #lines = 0

  /** @param texts that are waited for */
  constructor(say, texts = []) {
    this.#say = say
    this.#awaited = new Map(texts.map(text => [text, Promise.withResolvers()]))
  }

  add(line) {
    for (const [text, { resolve }] of this.#awaited) if (line.includes(text)) resolve()
    const shown = harmless(cut(line, most.line))
    this.#last.push(shown)
    if (this.#last.length > most.kept) this.#last.shift()
    if (this.#lines++ < most.shown) this.#say(shown)
    else if (this.#lines === most.shown + 1) this.#say('… (it prints more than is shown here)')
  }

  /** When a line has held one of the texts. */
  async seen(text) {
    await this.#awaited.get(text)?.promise
  }

  get last() {
    return this.#last.at(-1) ?? ''
  }

  /** The last lines, for a UserError. */
  detail() {
    return this.#last.length === 0 ? {} : { detail: this.#last.join('\n') }
  }
}
