import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'

const manifestSchema = z.object({
  name: z.string(),
  version: z.string(),
  license: z.string().optional(),
  author: z.union([z.string(), z.object({ name: z.string() }).transform(author => author.name)]).optional(),
})
type Manifest = z.infer<typeof manifestSchema>

/** Packages that name their licence in package.json but ship no text of it; looked at one by one. */
const withoutText: Readonly<Record<string, string>> = {
  '@nodable/entities': 'MIT',
  'proxy-agent-negotiate': 'MIT',
  '@npmcli/agent': 'ISC',
}

/**
 * The licences of all packages given, one section for each text that differs.
 * @param folders of packages, relative to `root`
 * @throws Error that names every package without a licence text
 */
export async function collectLicences(root: string, folders: readonly string[]): Promise<string> {
  const packagesByText = new Map<string, Set<string>>()
  const missing: string[] = []
  for (const folder of folders) {
    const manifest = manifestSchema.parse(
      JSON.parse(await readFile(join(root, folder, 'package.json'), 'utf8')),
    )
    const name = `${manifest.name} ${manifest.version}`
    const text = (await textsIn(join(root, folder))) || declared(manifest)
    if (text === undefined) missing.push(name)
    else
      packagesByText.set(text, (packagesByText.get(text) ?? new Set()).add(`${name} (${manifest.license})`))
  }
  if (missing.length > 0) throw new Error(`no licence text in ${missing.join(', ')}`)
  const sections = [...packagesByText].map(([text, packages]) => `${[...packages].join('\n')}\n\n${text}\n`)
  return `The files in vendor/ are made from these packages, under these licences.\n\n${sections
    .toSorted()
    .join(`\n${'-'.repeat(80)}\n\n`)}`
}

async function textsIn(folder: string): Promise<string> {
  const names = (await readdir(folder)).filter(name => /^(licen[cs]e|copying|notice|copyright)/i.test(name))
  const texts = await Promise.all(names.toSorted().map(name => readFile(join(folder, name), 'utf8')))
  return texts.map(text => text.replace(/\r\n/g, '\n').trim()).join('\n\n')
}

function declared({ name, license, author }: Manifest): string | undefined {
  const text = license && texts[license]
  if (text === undefined || withoutText[name] !== license || author === undefined) return undefined
  return `(The package names its licence and ships no text of it.)\n\n${text.replace('AUTHOR', author)}`
}

const texts: Readonly<Record<string, string>> = {
  MIT: `MIT License

Copyright (c) AUTHOR

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.`,
  ISC: `ISC License

Copyright (c) AUTHOR

Permission to use, copy, modify, and/or distribute this software for any
purpose with or without fee is hereby granted, provided that the above
copyright notice and this permission notice appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES
WITH REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF
MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR
ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES
WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN
ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF
OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.`,
}
