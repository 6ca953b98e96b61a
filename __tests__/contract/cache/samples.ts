import assert from 'node:assert/strict'
import type { CacheService } from '../../harness/cache-service/service.ts'
import type { CacheMachine, JobOptions } from './job.ts'

/** A program on a library, as texts: nothing but a shell is needed to build them. */
export function program(texts: { lib?: string; app?: string; noise?: number } = {}): string {
  const { lib = 'a library', app = 'a program', noise = 0 } = texts
  return `let
    make = name: script: derivation {
      inherit name; system = "x86_64-linux"; builder = "/bin/sh"; args = [ "-c" script ];
    };
    lib = make "lib" "echo ${lib} > $out";
    noise = "for ((i = 0; i < ${noise}; i++)); do printf '%x' $RANDOM; done >> $out";
  in make "app" "echo ${app} \${lib} > $out; \${noise}"`
}

export function built(stderr: string): string[] {
  return [...stderr.matchAll(/^building '\/nix\/store\/\w{32}-(.*)\.drv'/gm)]
    .map(match => match[1] ?? '')
    .sort()
}

export function copied(stderr: string): string[] {
  return [...stderr.matchAll(/^copying path '\/nix\/store\/\w{32}-(.*)' from 'http:/gm)]
    .map(match => match[1] ?? '')
    .sort()
}

/** A job that builds and saves; what it leaves is in the service. */
export async function fill(
  machine: CacheMachine,
  options: JobOptions,
  expression = program(),
): Promise<void> {
  const job = await machine.begin(options)
  await job.open()
  assert.equal((await job.build(expression)).code, 0)
  assert.equal((await job.save()).outcome, 'saved')
}

export function keysOf(service: CacheService, kind: 'pack' | 'index'): string[] {
  return service.entries().flatMap(({ key }) => (key.startsWith(`nia1-${kind}-`) ? [key] : []))
}
