import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { partsBrowser } from '../../../script/parts/paths.ts'
import { platform } from '../../../script/parts/platform.ts'

type Program = { readonly file: string; readonly libraries?: readonly string[]; readonly fonts?: string }

/** The browser among the parts, with their libraries and fonts, or one that the system has. */
function findBrowser(): Program | undefined {
  const { triplet } = platform()
  const file = join(partsBrowser, 'usr/lib/chromium/chromium-headless-shell')
  if (existsSync(file)) {
    const folders = ['usr/lib', 'lib'].map(folder => join(partsBrowser, folder, triplet))
    const libraries = [...folders, join(partsBrowser, 'usr/lib', triplet, 'pulseaudio')]
    return { file, libraries, fonts: join(partsBrowser, 'usr/share/fonts') }
  }
  const names = ['google-chrome', 'chromium', 'chromium-browser', 'chromium-headless-shell']
  const folders = (process.env.PATH ?? '').split(delimiter)
  const found = names.flatMap(name => folders.map(folder => join(folder, name))).find(existsSync)
  return found === undefined ? undefined : { file: found }
}

/** Why there is no browser, or undefined when there is. */
export function browserUnavailable(): string | undefined {
  return findBrowser() === undefined ? 'there is no Chromium, neither among the parts nor on PATH' : undefined
}

/** The document that is left of a page when its scripts have run, as HTML. */
export async function domOf(html: string): Promise<string> {
  return await browse(html, ['--dump-dom'])
}

/**
 * Takes a picture of a page.
 * @param options.width,height of the window, in CSS pixels
 * @param options.scale how many pixels each of them is
 * @param options.to a path that ends in `.png`
 */
export async function takePicture(
  html: string,
  options: {
    readonly width: number
    readonly height: number
    readonly scale: number
    readonly to: string
  },
): Promise<void> {
  const { width, height, scale, to } = options
  await browse(html, [
    `--screenshot=${to}`,
    `--window-size=${width},${height}`,
    `--force-device-scale-factor=${scale}`,
  ])
}

async function browse(html: string, options: readonly string[]): Promise<string> {
  const browser = findBrowser()
  if (browser === undefined) throw new Error(browserUnavailable())
  const folder = await mkdtemp(join(tmpdir(), 'browser-'))
  try {
    const page = join(folder, 'page.html')
    await writeFile(page, html)
    const env: NodeJS.ProcessEnv = { ...process.env, HOME: folder }
    if (browser.libraries !== undefined) env.LD_LIBRARY_PATH = browser.libraries.join(delimiter)
    if (browser.fonts !== undefined) {
      env.FONTCONFIG_FILE = join(folder, 'fonts.conf')
      await writeFile(env.FONTCONFIG_FILE, fontsOf(browser.fonts, join(folder, 'fonts')))
    }
    const always = [
      '--headless',
      // Tests run as root, for whom it has no sandbox, and show it pages of their own only.
      '--no-sandbox',
      '--disable-gpu',
      '--disable-dev-shm-usage',
      '--no-first-run',
      '--hide-scrollbars',
      `--user-data-dir=${join(folder, 'profile')}`,
      // Nothing comes from elsewhere.
      '--host-resolver-rules=MAP * ~NOTFOUND',
    ]
    const args = [...always, ...options, `file://${page}`]
    const { stdout } = await promisify(execFile)(browser.file, args, { env, maxBuffer: 64 * 1024 ** 2 })
    return stdout
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** What a system with these fonts would say: they stand for those that GitHub names. */
function fontsOf(fonts: string, cache: string): string {
  const stands = (name: string, font: string) =>
    `<alias binding="same"><family>${name}</family><prefer><family>${font}</family></prefer></alias>`
  return `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${fonts}</dir><cachedir>${cache}</cachedir>
  ${['Helvetica', 'Arial', 'sans-serif'].map(name => stands(name, 'Liberation Sans')).join('')}
  ${stands('monospace', 'Liberation Mono')}
</fontconfig>
`
}
