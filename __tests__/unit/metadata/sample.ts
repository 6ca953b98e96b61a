import type { TagEvent } from '../../../src/metadata/event.ts'

export const sha = '0123456789abcdef0123456789abcdef01234567'

/** A push to the default branch, with what is said here instead. */
export function sampleEvent(more: Partial<TagEvent> = {}): TagEvent {
  const commitDate = new Date('2026-11-20T08:15:00Z')
  return {
    ...{ eventName: 'push', ref: 'refs/heads/main', sha, shaLength: 7, baseRef: undefined },
    project: {
      ...{ name: 'app', description: 'A program', url: 'https://github.com/o/app', defaultBranch: 'main' },
      license: 'MIT',
    },
    now: new Date('2026-11-21T15:04:05.678Z'),
    ...{ commitDate, created: commitDate },
    ...more,
  }
}
