import { measure, type Sample } from './sample.ts'
import type { Bench } from './setting.ts'

/** Copies paths and all that they need to a binary cache that is a folder of the machine. */
export function copyTo(bench: Bench, folder: string, paths: readonly string[]): Promise<Sample> {
  return copy(bench, ['--to', `file://${folder}?compression=zstd&parallel-compression=true`], paths)
}

/** Copies paths and all that they need from there. */
export function copyFrom(bench: Bench, folder: string, paths: readonly string[]): Promise<Sample> {
  return copy(bench, ['--from', `file://${folder}`], paths)
}

function copy(bench: Bench, where: readonly string[], paths: readonly string[]): Promise<Sample> {
  return measure(bench.machine, undefined, async () => {
    await bench.nix(['nix', 'copy', '--no-check-sigs', '--stdin', ...where], `${paths.join('\n')}\n`)
    return undefined
  })
}
