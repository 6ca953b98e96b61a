import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import rehypeRaw from 'rehype-raw'
import rehypeSanitize from 'rehype-sanitize'
import rehypeStringify from 'rehype-stringify'
import remarkGfm from 'remark-gfm'
import remarkParse from 'remark-parse'
import remarkRehype from 'remark-rehype'
import { unified } from 'unified'
import { domOf } from './browser.ts'

const styles = readFileSync(
  fileURLToPath(import.meta.resolve('github-markdown-css/github-markdown-light.css')),
  'utf8',
)

const script = readFileSync(join(import.meta.dirname, 'look.js'), 'utf8')

const toHtml = unified()
  .use(remarkParse)
  .use(remarkGfm)
  .use(remarkRehype, { allowDangerousHtml: true })
  .use(rehypeRaw)
const written = toHtml().use(rehypeStringify).freeze()
const sanitized = toHtml().use(rehypeSanitize).use(rehypeStringify).freeze()

/**
 * GitHub-flavoured markdown as HTML.
 * @returns `shown` without what GitHub lets nobody write: https://github.com/rehypejs/rehype-sanitize has GitHub's own list;
 * `meant` with it
 */
export function render(markdown: string): { readonly shown: string; readonly meant: string } {
  return { shown: String(sanitized.processSync(markdown)), meant: String(written.processSync(markdown)) }
}

/** A page that looks like GitHub's. */
export function pageOf(markdown: string): string {
  return `<!doctype html><meta charset="utf-8"><style>${styles}
body { margin: 0 }
.markdown-body { box-sizing: border-box; padding: 24px }
@media (max-width: 767px) { .markdown-body { padding: 16px } }
</style><article class="markdown-body">${render(markdown).shown}</article>`
}

/** What a browser makes of a page. Lengths in CSS pixels. */
export type Seen = {
  /** Of the window, and of what is in it: wider where one has to scroll sideways. */
  readonly width: number
  readonly contentWidth: number
  readonly height: number
  readonly headings: readonly string[]
  /** Text of each cell of each row. */
  readonly tables: readonly (readonly (readonly string[])[])[]
  /** Text of tables and blocks of code that are wider than the page, and so scroll within themselves. */
  readonly scrolling: readonly string[]
  readonly codeBlocks: readonly string[]
  /** Titles of what is folded. */
  readonly folded: readonly string[]
  /** All text but that of blocks of code and that in the font of code. */
  readonly text: string
  /** How wide each character is that is drawn with, and an `m`, in a block of code. */
  readonly glyphs: Readonly<Record<string, number>>
}

/**
 * Opens pages of markdown in a browser, each in windows of several widths.
 * @returns for each page what is seen in each width
 */
export async function lookAt(pages: readonly string[], widths: readonly number[]): Promise<Seen[][]> {
  const frames = pages.flatMap(markdown => widths.map(width => frameOf(pageOf(markdown), width)))
  const dom = await domOf(
    `<!doctype html><meta charset="utf-8"><body>${frames.join('')}<script>${script}</script>`,
  )
  const [, base64 = ''] = /<body>([\w+/=]+)/.exec(dom) ?? []
  const seen = JSON.parse(Buffer.from(base64, 'base64').toString()) as Seen[]
  return pages.map((_, index) => seen.slice(index * widths.length, (index + 1) * widths.length))
}

function frameOf(html: string, width: number): string {
  const attribute = html.replaceAll('&', '&amp;').replaceAll('"', '&quot;')
  return `<iframe style="border: 0; width: ${width}px; height: 2000px" srcdoc="${attribute}"></iframe>`
}
