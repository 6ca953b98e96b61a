/** Opens the index that its argument names, in a process of its own, and prints what that costs. */
import { readFileSync } from 'node:fs'
import { readIndex } from '../../src/cache/index-file.ts'

export type IndexAnswer = {
  readonly milliseconds: number
  /** Bytes that the process held at its peak, and held before. */
  readonly peak: number
  readonly before: number
  readonly paths: number
}

const { file } = JSON.parse(process.argv[2] ?? '') as { file: string }
const before = process.memoryUsage().rss
const began = performance.now()
const { index, problem } = await readIndex(file)
const milliseconds = performance.now() - began
if (index === undefined || problem !== undefined) throw new Error(problem)
// What getrusage() says counts the process that this one was forked from.
const peak = Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024
process.stdout.write(
  `${JSON.stringify({ milliseconds, peak, before, paths: index.paths.size } satisfies IndexAnswer)}\n`,
)
