/**
 * Prints what `knownScripts` in src/image/stream-wrapper.ts holds of versions of nixpkgs' stream_layered_image.py:
 *
 *     node script/stream-scripts.ts FILE…
 *
 * A version belongs there when __tests__/fixtures/stream-layered-image/record.py, run with it, gives configs that
 * differ from images.json in the digests of layers alone, and its archive_paths_to does what src/image/archive/
 * does: modes of /nix and /nix/store, owners, hard links, order. With `git log --format=%H -- FILE` in a checkout of
 * nixpkgs every version can be had.
 */
import { readFileSync } from 'node:fs'
import { sha256 } from '../src/util/digest.ts'

for (const file of process.argv.slice(2)) console.log(`  '${sha256(readFileSync(file))}', // ${file}`)
