/** What started a workflow run, as the runner tells it to a job. */
export type Event = {
  readonly name:
    | 'push'
    | 'create'
    | 'release'
    | 'pull_request'
    | 'pull_request_target'
    | 'merge_group'
    | 'schedule'
    | 'workflow_dispatch'
    | 'workflow_run'
  /** `owner/name` of the repository that the workflow runs in. */
  readonly repository: string
  readonly ref: string
  readonly sha: string
  /** Branches of a pull request; empty for other events. */
  readonly headRef: string
  readonly baseRef: string
  readonly actor: string
  /** Content of the file at GITHUB_EVENT_PATH. */
  readonly payload: Readonly<Record<string, unknown>>
}

export type Origin = {
  readonly repository: string
  readonly defaultBranch?: string
  readonly actor?: string
  readonly private?: boolean
  /** Commit that is built: 40 hex digits. For a pull request that of the merge. */
  readonly sha?: string
}

const zeros = '0'.repeat(40)
const before = '5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f80'
const someCommit = '1f2e3d4c5b6a79880716253443526170f1e2d3c4'
const headCommit = '9a8b7c6d5e4f30211203f4e5d6c7b8a99a8b7c6d'
const time = '2026-11-20T08:15:00Z'

export function pushToDefaultBranch(origin: Origin): Event {
  return pushToBranch(origin, origin.defaultBranch ?? 'main')
}

export function pushToBranch(origin: Origin, branch: string): Event {
  return push(origin, `refs/heads/${branch}`, { before, created: false, base_ref: null })
}

export function pushTag(origin: Origin, tag: string): Event {
  const base = `refs/heads/${origin.defaultBranch ?? 'main'}`
  return push(origin, `refs/tags/${tag}`, { before: zeros, created: true, base_ref: base })
}

function push(origin: Origin, ref: string, change: Readonly<Record<string, unknown>>): Event {
  const sha = origin.sha ?? someCommit
  const person = { name: actorOf(origin), email: `${actorOf(origin)}@users.noreply.github.com` }
  const commit = {
    id: sha,
    tree_id: before,
    distinct: true,
    message: 'Change something',
    timestamp: time,
    url: `https://github.com/${origin.repository}/commit/${sha}`,
    author: { ...person, username: person.name },
    committer: { ...person, username: person.name },
    added: [],
    removed: [],
    modified: ['flake.nix'],
  }
  return event(origin, 'push', ref, sha, {
    ref,
    after: sha,
    deleted: false,
    forced: false,
    compare: `https://github.com/${origin.repository}/compare/${sha.slice(0, 12)}`,
    commits: [commit],
    head_commit: commit,
    pusher: person,
    ...change,
  })
}

export type PullRequest = {
  readonly number: number
  /** Branch that is offered. */
  readonly head: string
  readonly base?: string
  /** `owner/name` of the fork that it comes from; the repository itself when not given. */
  readonly fork?: string
}

export function pullRequest(origin: Origin, { number, head, base, fork }: PullRequest): Event {
  const baseBranch = base ?? origin.defaultBranch ?? 'main'
  const sha = origin.sha ?? someCommit
  const headOrigin = fork === undefined ? origin : { ...origin, repository: fork }
  const headRepository = { ...repositoryOf(headOrigin), fork: fork !== undefined }
  const end = (from: Origin, ref: string, commit: string, repository: object) => ({
    label: `${ownerOf(from)}:${ref}`,
    ref,
    sha: commit,
    user: userOf(ownerOf(from)),
    repo: repository,
  })
  return {
    ...event(origin, 'pull_request', `refs/pull/${number}/merge`, sha, {
      action: 'synchronize',
      number,
      before,
      after: headCommit,
      pull_request: {
        number,
        state: 'open',
        draft: false,
        title: 'Change something',
        html_url: `https://github.com/${origin.repository}/pull/${number}`,
        user: userOf(actorOf(origin)),
        author_association: fork === undefined ? 'MEMBER' : 'CONTRIBUTOR',
        merge_commit_sha: sha,
        head: end(headOrigin, head, headCommit, headRepository),
        base: end(origin, baseBranch, before, repositoryOf(origin)),
      },
    }),
    headRef: head,
    baseRef: baseBranch,
  }
}

/** Runs with the base branch's rights, and on its newest commit. */
export function pullRequestTarget(origin: Origin, request: PullRequest): Event {
  const event = pullRequest(origin, request)
  return { ...event, name: 'pull_request_target', ref: `refs/heads/${event.baseRef}`, sha: before }
}

/** A tag that was published as a release. */
export function release(origin: Origin, tag: string, prerelease = false): Event {
  return event(origin, 'release', `refs/tags/${tag}`, origin.sha ?? someCommit, {
    action: 'published',
    release: {
      id: 190_000_001,
      tag_name: tag,
      target_commitish: origin.defaultBranch ?? 'main',
      name: `Release ${tag}`,
      ...{ draft: false, prerelease, immutable: false },
      html_url: `https://github.com/${origin.repository}/releases/tag/${tag}`,
      ...{ created_at: time, published_at: time, assets: [], body: 'Changes' },
      author: userOf(actorOf(origin)),
    },
  })
}

/** A branch or tag that was made. */
export function create(origin: Origin, type: 'branch' | 'tag', name: string): Event {
  const ref = `refs/${type === 'tag' ? 'tags' : 'heads'}/${name}`
  return event(origin, 'create', ref, origin.sha ?? someCommit, {
    ref: name,
    ref_type: type,
    master_branch: origin.defaultBranch ?? 'main',
    description: 'A program and its image',
    pusher_type: 'user',
  })
}

/** A pull request in the merge queue. */
export function mergeGroup(origin: Origin, number: number): Event {
  const base = origin.defaultBranch ?? 'main'
  const ref = `refs/heads/gh-readonly-queue/${base}/pr-${number}-${before}`
  const sha = origin.sha ?? someCommit
  return event(origin, 'merge_group', ref, sha, {
    action: 'checks_requested',
    merge_group: {
      ...{ head_sha: sha, head_ref: ref, base_sha: before, base_ref: `refs/heads/${base}` },
      head_commit: { id: sha, tree_id: before, message: 'Change something', timestamp: time },
    },
  })
}

/** Another workflow has ended. */
export function workflowRun(origin: Origin): Event {
  const branch = origin.defaultBranch ?? 'main'
  const sha = origin.sha ?? someCommit
  return event(origin, 'workflow_run', `refs/heads/${branch}`, sha, {
    action: 'completed',
    workflow: { id: 70_000_001, name: 'Tests', path: '.github/workflows/tests.yml', state: 'active' },
    workflow_run: {
      ...{ id: 19_000_000_001, name: 'Tests', event: 'push', status: 'completed', conclusion: 'success' },
      ...{ head_branch: branch, head_sha: sha, run_number: 41, run_attempt: 1 },
    },
  })
}

export function schedule(origin: Origin, cron = '17 4 * * *'): Event {
  const ref = `refs/heads/${origin.defaultBranch ?? 'main'}`
  return event(origin, 'schedule', ref, origin.sha ?? someCommit, {
    schedule: cron,
    workflow: '.github/workflows/image.yml',
  })
}

export function workflowDispatch(
  origin: Origin,
  inputs: Readonly<Record<string, string>> = {},
  ref = `refs/heads/${origin.defaultBranch ?? 'main'}`,
): Event {
  return event(origin, 'workflow_dispatch', ref, origin.sha ?? someCommit, {
    ref,
    inputs,
    workflow: '.github/workflows/image.yml',
  })
}

function event(
  origin: Origin,
  name: Event['name'],
  ref: string,
  sha: string,
  payload: Readonly<Record<string, unknown>>,
): Event {
  return {
    name,
    repository: origin.repository,
    ref,
    sha,
    headRef: '',
    baseRef: '',
    actor: actorOf(origin),
    payload: { ...payload, repository: repositoryOf(origin), sender: userOf(actorOf(origin)) },
  }
}

function repositoryOf(origin: Origin): object {
  const [owner = '', name = ''] = origin.repository.split('/')
  return {
    id: 700_000_001,
    name,
    full_name: origin.repository,
    private: origin.private ?? false,
    visibility: origin.private ? 'private' : 'public',
    owner: { ...userOf(owner), type: 'Organization' },
    html_url: `https://github.com/${origin.repository}`,
    description: 'A program and its image',
    fork: false,
    default_branch: origin.defaultBranch ?? 'main',
    license: { key: 'mit', name: 'MIT License', spdx_id: 'MIT' },
  }
}

function userOf(login: string): object {
  return { login, id: 583_231, type: 'User', html_url: `https://github.com/${login}` }
}

function actorOf(origin: Origin): string {
  return origin.actor ?? 'octocat'
}

function ownerOf(origin: Origin): string {
  return origin.repository.split('/')[0] ?? ''
}
