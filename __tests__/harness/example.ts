import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { partsBin, partsDebs, readStamp, repository } from '../../script/parts/paths.ts'
import { exec } from '../../src/util/exec.ts'
import { blocksOf } from './blocks.ts'
import { plainDeb } from './deb.ts'
import { firstCommit, plantProgram } from './flake.ts'

/** Where the examples that users copy are. */
export const examplesFolder = join(repository, 'examples')

/** Of Debian's packages those that the stand-in for nixpkgs makes real programs of. */
const debs = ['nginx', 'patchelf']

/**
 * Makes a repository of each example, in a folder of its name, and `readme` of the README's flake. Their lock files name
 * stand-ins for the inputs, which are beside them: as if somebody had run `nix flake lock` when nixpkgs was that small.
 * The flakes stay as they are.
 * @param dir a folder that does not exist yet; machines must see it at the same place
 * @throws Error when the parts were not brought in, or an input has no stand-in
 */
export async function materialiseExamples(dir: string): Promise<void> {
  const standIns = join(dir, 'stand-ins')
  await cp(resolve(import.meta.dirname, '../flakes/stand-ins'), standIns, { recursive: true })
  const nixpkgs = join(standIns, 'nixpkgs')
  await plantProgram(nixpkgs, 'busybox', 'busybox')
  await plantProgram(nixpkgs, 'bash-static', 'bash')
  const files = readStamp()?.debs ?? {}
  for (const deb of debs) {
    await mkdir(join(nixpkgs, 'debs', deb), { recursive: true })
    for (const file of files[deb] ?? [])
      await plainDeb(join(partsDebs, file), join(nixpkgs, 'debs', deb, file))
  }
  const hashes = new Map<string, string>()
  for (const name of await readdir(standIns)) hashes.set(name, await narHash(join(standIns, name)))
  const entries = await readdir(examplesFolder, { withFileTypes: true })
  for (const { name } of entries.filter(entry => entry.isDirectory())) {
    const example = join(dir, name)
    await cp(join(examplesFolder, name), example, { recursive: true })
    const flake = name === 'devcontainer' ? join(example, '.devcontainer/nixos') : example
    await lock(flake, standIns, hashes)
    await firstCommit({ dir: example })
  }
  const [shown, another] = blocksOf('README.md').filter(({ language }) => language === 'nix')
  if (shown === undefined || another !== undefined) throw new Error('the README has not one flake')
  const readme = join(dir, 'readme')
  await mkdir(readme)
  await writeFile(join(readme, 'flake.nix'), shown.text)
  await lock(readme, standIns, hashes)
  await firstCommit({ dir: readme })
}

const input =
  /(?<name>\w+)(?:\.url| = \{\s+url) = "github:(?<owner>[\w-]+)\/(?<repo>[\w-]+)(?:\/(?<ref>[\w.-]+))?"/g

/** https://nix.dev/manual/nix/latest/command-ref/new-cli/nix3-flake#lock-files */
async function lock(flake: string, standIns: string, hashes: ReadonlyMap<string, string>): Promise<void> {
  const text = await readFile(join(flake, 'flake.nix'), 'utf8')
  const nodes: Record<string, object> = {}
  for (const { groups: { name = '', ...reference } = {} } of text.matchAll(input)) {
    if (!hashes.has(name)) throw new Error(`the input ${name} of ${flake} has no stand-in`)
    const given = Object.entries(reference).filter(([, value]) => value !== undefined)
    nodes[name] = {
      ...(name === 'nix2container' ? { inputs: { nixpkgs: ['nixpkgs'] } } : {}),
      locked: { type: 'path', path: join(standIns, name), narHash: hashes.get(name) },
      original: { type: 'github', ...Object.fromEntries(given) },
    }
  }
  const inputs = Object.fromEntries(Object.keys(nodes).map(name => [name, name]))
  const file = { nodes: { ...nodes, root: { inputs } }, root: 'root', version: 7 }
  await writeFile(join(flake, 'flake.lock'), JSON.stringify(file, null, 2))
}

async function narHash(path: string): Promise<string> {
  const argv = ['--extra-experimental-features', 'nix-command', 'hash', 'path', path]
  const { code, stdout, stderr } = await exec(join(partsBin, 'nix'), argv, { env: { HOME: path } })
  if (code !== 0) throw new Error(stderr)
  return stdout.trim()
}
