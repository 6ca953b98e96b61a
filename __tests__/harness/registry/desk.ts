import assert from 'node:assert/strict'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Image } from '../../../src/image/model.ts'
import { programs } from '../../../src/places.ts'
import { type RegistryClient, registryClient } from '../../../src/registry/client.ts'
import { type Pushed, type PushOptions, pushImage } from '../../../src/registry/push.ts'
import { parseName } from '../../../src/registry/reference.ts'
import { UserError } from '../../../src/util/errors.ts'
import type { Log } from '../../../src/util/log.ts'
import { type Registry, type RegistryOptions, startRegistry } from './registry.ts'

export const login = { username: 'octocat', password: 'correct-horse-battery' }

/** A registry, a client of it, and all that the client says and waits for. */
export type Desk = {
  readonly registry: Registry
  /** `127.0.0.1:PORT/octo/app` */
  readonly name: string
  /** For files of the test. */
  readonly directory: string
  readonly scratch: string
  /** Every line that was logged, also for debugging. */
  readonly lines: readonly string[]
  /** Milliseconds of every wait; none of them is waited for. */
  readonly waits: readonly number[]
  client(options?: Partial<Parameters<typeof registryClient>[0]>): RegistryClient
  /** Pushes with gzip and the tag `main`, remembering nothing. */
  push(image: Image, options?: Partial<PushOptions>): Promise<Pushed>
  /** The error that a push ends with, which must be one for users. */
  refusal(image: Image, options?: Partial<PushOptions>): Promise<UserError>
  [Symbol.asyncDispose](): Promise<void>
}

/** Opens a desk. When it is closed, nothing may be left in `scratch`, and no secret may have been logged. */
export async function openDesk(options: RegistryOptions = {}): Promise<Desk> {
  const registry = await startRegistry(options)
  const directory = await mkdtemp(join(tmpdir(), 'desk-'))
  const scratch = await mkdtemp(join(directory, 'scratch-'))
  const lines: string[] = []
  const waits: number[] = []
  const log: Log = {
    debug: line => void lines.push(line),
    info: line => void lines.push(line),
    warning: line => void lines.push(line),
    group: (_title, work) => work(),
  }
  const sleep = async (milliseconds: number) => void waits.push(milliseconds)
  const name = `${registry.host}/octo/app`
  const client: Desk['client'] = (more = {}) =>
    registryClient({
      repository: parseName(name),
      credentials: options.tokens ?? options.basic,
      env: {},
      log,
      sleep,
      ...(options.now === undefined ? {} : { now: options.now }),
      ...more,
    })
  const push: Desk['push'] = (image, more) =>
    pushImage({
      client: client(),
      image,
      compression: 'gzip',
      tags: ['main'],
      memo: new Map(),
      programs,
      scratch,
      log,
      sleep,
      ...more,
    })
  return {
    registry,
    name,
    directory,
    scratch,
    lines,
    waits,
    client,
    push,
    async refusal(image, more) {
      const error = await push(image, more).then(
        () => assert.fail('the push succeeded'),
        error => error,
      )
      assert.ok(error instanceof UserError, String(error?.stack))
      lines.push(error.message, String(error.advice))
      return error
    },
    async [Symbol.asyncDispose]() {
      const left = await readdir(scratch)
      await registry.close()
      await rm(directory, { recursive: true })
      assert.deepEqual(left, [], 'nothing stays in scratch')
      for (const secret of registry.secrets())
        assert.ok(!lines.some(line => line.includes(secret)), 'no secret is logged')
    },
  }
}
