import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { TarInput } from '../../harness/tar-writer.ts'
import { listing, withRootFs } from './image.ts'

/** What is at a path, and the last layer that has it or something below it. */
type Known = {
  readonly type: 'file' | 'directory' | 'symlink'
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly target: string
  readonly data: string
  readonly layer: number
  last: number
}

/**
 * The files of an image in the plainest way: a map by path, in which deleting means to look at all of it. Paths have no
 * slash at their end; the root is empty.
 */
class Model {
  readonly all = new Map<string, Known>([['', this.#directory(0)]])

  #directory(layer: number): Known {
    const entry = { mode: 0o755, uid: 0, gid: 0, target: '', data: '' }
    return { type: 'directory', ...entry, layer, last: layer }
  }

  /**
   * The path without links that a path leads to.
   * @param missing whether it counts as a directory where nothing is; else there is no such path
   */
  resolve(path: string, { followLast = true, missing = false }, depth = 0): string | undefined {
    const slash = path.lastIndexOf('/')
    if (slash < 0) return ''
    if (depth > 200) return undefined
    const parent = this.resolve(path.slice(0, slash), { missing }, depth + 1)
    if (parent === undefined || !(missing || this.all.get(parent)?.type === 'directory')) return undefined
    const name = path.slice(slash + 1)
    if (name === '' || name === '.') return parent
    if (name === '..') return parent.slice(0, Math.max(0, parent.lastIndexOf('/')))
    const at = `${parent}/${name}`
    const known = this.all.get(at)
    if (known?.type !== 'symlink' || !followLast) return known || missing ? at : undefined
    const target = known.target.startsWith('/') ? known.target : `${parent}/${known.target}`
    return this.resolve(target, { missing }, depth + 1)
  }

  remove(path: string, passes: (known: Known) => boolean = () => true): void {
    for (const [at, known] of this.all)
      if ((at === path || at.startsWith(`${path}/`)) && passes(known)) this.all.delete(at)
  }

  /** The directory that a layer has something in; made if need be. */
  above(path: string, layer: number): string | undefined {
    const directory = this.resolve(path.slice(0, path.lastIndexOf('/')), { missing: true })
    if (directory === undefined) return undefined
    const names = directory.split('/')
    for (const [i] of names.entries()) {
      const at = names.slice(0, i + 1).join('/')
      if (this.all.get(at)?.type !== 'directory') {
        this.remove(at)
        this.all.set(at, this.#directory(layer))
      }
      ;(this.all.get(at) as Known).last = layer
    }
    return directory
  }

  /** What a hard link may lead to. */
  linked(linkName: string): Known | undefined {
    const known = this.all.get(this.resolve(`/${linkName}`, { followLast: false }) ?? '')
    return known?.type === 'directory' ? undefined : known
  }

  add({ name, flag, data, linkName = '', mode = 0, uid = 0, gid = 0 }: TarInput, layer: number): void {
    const path = `/${name}`
    const last = name.slice(name.lastIndexOf('/') + 1)
    const linked = flag === '1' ? this.linked(linkName) : undefined
    const directory = this.above(path, layer)
    if (directory === undefined) return
    if (last === '.wh..wh..opq') {
      for (const [at, known] of this.all)
        if (at.startsWith(`${directory}/`) && known.last < layer) this.all.delete(at)
      return
    }
    if (last.startsWith('.wh.')) {
      const hidden = `${directory}/${last.slice(4)}`
      const known = this.all.get(hidden)
      this.remove(hidden, ({ last }) => last < layer)
      if (known?.type === 'directory' && known.last === layer && known.layer < layer)
        this.all.set(hidden, this.#directory(layer))
      return
    }
    const at = `${directory}/${last}`
    const before = this.all.get(at)
    if (linked) {
      this.remove(at)
      this.all.set(at, { ...linked, last: layer })
      return
    }
    const type = flag === '5' ? 'directory' : flag === '2' ? 'symlink' : 'file'
    if (type !== 'directory' || before?.type !== 'directory') this.remove(at)
    const entry = { type, mode, uid, gid, target: linkName, data: String(data ?? '') } as const
    this.all.set(at, { ...entry, layer, last: layer })
  }
}

const name = fc.constantFrom('a', 'b', 'c')
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map(names => names.join('/'))
const target = fc
  .array(fc.constantFrom('a', 'b', 'c', '..', '.'), { minLength: 1, maxLength: 4 })
  .chain(names => fc.constantFrom(names.join('/'), `/${names.join('/')}`))
const owner = { mode: fc.nat(0o7777), uid: fc.nat(70_000), gid: fc.nat(70_000) }

const member: fc.Arbitrary<TarInput> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      ...owner,
      name: path,
      flag: fc.constant('0'),
      data: fc.string({ maxLength: 4 }).map(text => Buffer.from(text).toString('hex')),
    }),
  },
  { weight: 3, arbitrary: fc.record({ ...owner, name: path, flag: fc.constant('5') }) },
  { weight: 2, arbitrary: fc.record({ ...owner, name: path, flag: fc.constant('2'), linkName: target }) },
  { weight: 2, arbitrary: fc.record({ name: path, flag: fc.constant('1'), linkName: path }) },
  { weight: 2, arbitrary: path.map(path => ({ name: path.replace(/[^/]*$/, '.wh.$&') })) },
  { weight: 1, arbitrary: path.map(path => ({ name: `${path}/.wh..wh..opq` })) },
)

/** As archives are written: names in any of the ways that there are. */
const spelled = fc.constantFrom<(name: string) => string>(
  name => name,
  name => `./${name}`,
  name => `/${name}`,
  name => `/x/..//${name}`,
)

test('the files are those of a plain model, whatever layers hold', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(member, { maxLength: 10 }), { maxLength: 4 }),
      spelled,
      fc.array(target, { maxLength: 20 }),
      async (inputs, spell, questions) => {
        const model = new Model()
        const layers = inputs.map((members, layer) =>
          members.flatMap(member => {
            const { flag, linkName = '' } = member
            // Hard links to nothing are refused, and tested elsewhere. What they lead to can be told only now.
            if (flag === '1' && model.linked(linkName) === undefined) return []
            model.add(member, layer)
            return [{ ...member, name: spell(member.name) + (flag === '5' ? '/' : '') }]
          }),
        )
        await withRootFs(layers, fs => {
          const expected = [...model.all]
            .filter(([path]) => path !== '')
            .map(([path, { last: _, ...known }]) => [path, { ...known, size: known.data.length }] as const)
          assert.deepEqual(listing(fs), new Map(expected.sort(([a], [b]) => (a < b ? -1 : 1))))
          for (const path of questions)
            for (const followLast of [true, false]) {
              const at = model.resolve(`/${path}`, { followLast })
              const found = followLast ? fs.find(path) : fs.look(path)
              assert.equal(found?.path, at === '' ? '/' : at, path)
              const below = [...model.all.keys()].filter(
                key => key !== '' && key.slice(0, key.lastIndexOf('/')) === at,
              )
              if (followLast)
                assert.deepEqual(fs.list(path), below.map(key => key.slice(key.lastIndexOf('/') + 1)).sort())
            }
        })
      },
    ),
    { numRuns: 400 },
  ))
