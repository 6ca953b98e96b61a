import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { sha256 } from '../util/digest.js'

/** Digests of stream_layered_image.py, without the line that names the interpreter; see script/stream-scripts.ts. */
const knownScripts = new Set([
  'sha256:ff9cbb6b9c5c900812092c2c562de5e28062bf7e9780d898aa049bb59a6bbb76',
  'sha256:d3203c45aee8e0d9822c7f88ca5f8ccc889cda677a26e7c674c7151062837ffc',
])

const longestScript = 64 * 1024
const firstLine = /^#! ?\/[^\n]*\n/
/** All that makeWrapper of nixpkgs writes for a program and one flag. */
const wrapper = /^#! ?\/[\w./+-]+\/bash -e\nexec "(?<program>\/[\w./+-]+)" +(?<conf>\/[\w./+-]+) +"\$@" *\n+$/

/**
 * Finds the conf of a streamLayeredImage whose script this is. Older nixpkgs give nothing else.
 * @param path a script in the store
 * @param known digests of the Python scripts whose output is known
 * @returns undefined when the script does anything but run a known program with a conf: only running it can tell then
 */
export async function confOfWrapper(path, known = knownScripts) {
  const { program, conf } = wrapper.exec(await startOf(path))?.groups ?? {}
  if (program === undefined || conf === undefined) return undefined
  const store = dirname(path)
  if (dirname(program) !== store || dirname(conf) !== store) return undefined
  const script = await startOf(program).catch(() => '')
  return known.has(sha256(script.replace(firstLine, ''))) ? conf : undefined
}

async function startOf(path) {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(longestScript), 0, longestScript, 0)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await file.close()
  }
}
