import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from './run.ts'

const programHeaderInterpreter = 3

/** Whether a file is a 64-bit program that asks for a dynamic loader, so one that is not static. */
export async function isDynamicProgram(file: string): Promise<boolean> {
  const handle = await open(file)
  try {
    const head = Buffer.alloc(4096)
    const { bytesRead } = await handle.read(head, 0, head.length, 0)
    if (bytesRead < 64 || head.readUInt32BE(0) !== 0x7f454c46 || head[4] !== 2) return false
    const offset = Number(head.readBigUInt64LE(32))
    const size = head.readUInt16LE(54)
    const count = head.readUInt16LE(56)
    for (let i = 0; i < count && offset + i * size + 4 <= bytesRead; i++) {
      if (head.readUInt32LE(offset + i * size) === programHeaderInterpreter) return true
    }
    return false
  } finally {
    await handle.close()
  }
}

/** A patchelf that needs nothing of the system but its kernel. */
export type Patchelf = {
  /** Makes the program start with `loader` and look for libraries, its own and theirs, in `libraries`. */
  patch(file: string, loader: string, libraries: readonly string[]): Promise<void>
  /** Names of the libraries that a program or library is linked with. */
  needed(file: string): Promise<string[]>
}

/**
 * @param program the unpacked patchelf, as its package has it
 * @param libraries folder with its libraries and the dynamic loader
 */
export function openPatchelf(program: string, libraries: string, loader: string): Patchelf {
  const patchelf = (...args: string[]) =>
    run(join(libraries, loader), ['--library-path', libraries, program, ...args])
  return {
    async patch(file, interpreter, folders) {
      // DT_RPATH, unlike DT_RUNPATH, holds for the libraries' own libraries as well, so none of them is patched.
      await patchelf('--force-rpath', '--set-rpath', folders.join(':'), file)
      // Both in one call, or the other way around, breaks programs written in Go: they crash before main.
      await patchelf('--set-interpreter', interpreter, file)
    },
    async needed(file) {
      return (await patchelf('--print-needed', file)).split('\n').filter(Boolean)
    },
  }
}
