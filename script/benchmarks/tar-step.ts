/**
 * Keeps the store in the cache as cache-nix-action does (https://github.com/nix-community/cache-nix-action, read at
 * version 7): one archive of the store and its database, unpacked over the store, databases merged by SQLite. With
 * GitHub's client as it is: what that action has patched into it, tar takes from TAR_OPTIONS. Nix itself is left out of
 * the archive, which the action does not do: the benchmark is of the store, and what is in any case there is the same.
 */
import { chmodSync, copyFileSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { restoreCache, saveCache } from '@actions/cache'
import { mergeSql } from './tar-merge.ts'

export type TarStep = {
  readonly do: 'save' | 'restore'
  readonly key: string
  /** Store paths of Nix itself. */
  readonly closure: readonly string[]
}
export type TarAnswer = {
  readonly outcome: 'saved' | 'restored' | 'unchanged' | 'missing'
  readonly phases: Readonly<Record<string, number>>
}

const folder = '/nix/var/nix/db'
const database = join(folder, 'db.sqlite')
const temp = mkdtempSync(join(process.env.RUNNER_TEMP ?? '', 'tar-'))
const phases: Record<string, number> = {}

const step: TarStep = JSON.parse(process.argv[2] ?? '')
// The client talks to the runner on stdout.
const write = process.stdout.write.bind(process.stdout)
process.stdout.write = () => true
const outcome = step.do === 'save' ? await save() : await restore()
write(`${JSON.stringify({ outcome, phases } satisfies TarAnswer)}\n`)

async function save(): Promise<TarAnswer['outcome']> {
  // What is saved under a key is never saved again.
  const found = await timed('look up', () => restoreCache(['/nix'], step.key, [], { lookupOnly: true }))
  if (found === step.key) return 'unchanged'
  timedSync('checkpoint', checkpoint)
  excludeFromTar(step.closure)
  const id = await timed('save', () => saveCache(['/nix'], step.key))
  if (id === -1) throw new Error('the archive was not saved')
  return 'saved'
}

async function restore(): Promise<TarAnswer['outcome']> {
  const found = await timed('look up', () => restoreCache(['/nix'], step.key, [], { lookupOnly: true }))
  if (found === undefined) return 'missing'
  const [before, after, merged] = ['old', 'new', 'merged'].map(name => join(temp, `${name}.sqlite`)) as [
    string,
    string,
    string,
  ]
  timedSync('checkpoint', () => copyDatabase(before))
  // What is there stays.
  excludeFromTar(readdirSync('/nix/store').map(name => join('/nix/store', name)))
  const restored = await timed('restore', () => restoreCache(['/nix'], step.key))
  if (restored === undefined) return 'missing'
  timedSync('merge', () => {
    copyDatabase(after)
    const result = new DatabaseSync(merged)
    result.exec(mergeSql({ before, after }))
    result.exec('PRAGMA integrity_check')
    result.close()
    for (const end of ['', '-wal', '-shm']) rmSync(`${database}${end}`, { force: true })
    copyFileSync(merged, `${database}.new`)
    renameSync(`${database}.new`, database)
    chmodSync(database, 0o644)
  })
  return 'restored'
}

function copyDatabase(target: string): void {
  checkpoint()
  copyFileSync(database, target)
}

function checkpoint(): void {
  const opened = new DatabaseSync(database)
  opened.exec('PRAGMA wal_checkpoint(TRUNCATE)')
  opened.close()
}

/** Store paths, and of /nix/var everything but the database. */
function excludeFromTar(paths: readonly string[]): void {
  const others = [
    ...readdirSync('/nix')
      .filter(name => !['store', 'var'].includes(name))
      .map(name => join('/nix', name)),
    ...readdirSync('/nix/var/nix')
      .filter(name => name !== 'db')
      .map(name => join('/nix/var/nix', name)),
    ...readdirSync(folder)
      .filter(name => name !== 'db.sqlite')
      .map(name => join(folder, name)),
  ]
  const workspace = process.env.GITHUB_WORKSPACE ?? ''
  const list = join(temp, 'excluded')
  writeFileSync(list, [...paths, ...others].map(path => `${relative(workspace, path)}\n`).join(''))
  process.env.TAR_OPTIONS = `--exclude-from=${list}`
}

async function timed<T>(name: string, work: () => Promise<T>): Promise<T> {
  const began = performance.now()
  const result = await work()
  phases[name] = (performance.now() - began) / 1000
  return result
}

function timedSync(name: string, work: () => void): void {
  const began = performance.now()
  work()
  phases[name] = (phases[name] ?? 0) + (performance.now() - began) / 1000
}
