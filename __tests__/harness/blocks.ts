import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { repository } from '../../script/parts/paths.ts'

export type Block = { readonly place: string; readonly language: string; readonly text: string }

/**
 * The blocks of code that a page shows, as a reader copies them: without the indentation of a list.
 * @param page its path in the repository
 */
export function blocksOf(page: string): Block[] {
  const text = readFileSync(join(repository, page), 'utf8')
  return [...text.matchAll(/^( *)```(\w*)\n(.*?)^\1```$/gms)].map(found => ({
    place: `${page}:${text.slice(0, found.index).split('\n').length + 1}`,
    language: found[2] ?? '',
    text: found[3]?.replaceAll(new RegExp(`^${found[1]}`, 'gm'), '') ?? '',
  }))
}
