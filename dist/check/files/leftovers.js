import { hasToken, isSecretName, secretFiles } from './secrets.js'

/** Keys that are a file's name, and endings under which keys are kept. */
const keyName = /^(?:id_(?:rsa|dsa|ecdsa|ed25519)|ssh_host_\w+_key)$|\.(?:pem|key)$|-id_(?:rsa|ed25519)$/
const privateKey = /-----BEGIN (?:RSA |EC |DSA |OPENSSH |ENCRYPTED )?PRIVATE KEY-----/
/** A key with all its certificates is smaller. */
const keyLimit = 64 * 1024
/** What programs bring along to be tested with, or as an example, is nobody's secret; nor is one that says so. */
const sample =
  /\/(?:tests?|testing|testdata|test[-_][^/]*|fixtures?|examples?|samples?|demos?|docs?|spec|node_modules)\/|snakeoil/i

/** Private keys, credentials and git repositories: whoever pulls the image has them. No part of a secret is shown. */
export const leftoverRule = {
  *inspect(subject) {
    const { fs } = subject
    yield* tokensOfEnv(subject)
    const repositories = []
    const keys = []
    // One walk for all: an image may have a hundred thousand files.
    for (const found of fs.named(name => name === '.git' || keyName.test(name) || secretFiles.has(name))) {
      const { path, entry } = found
      if (sample.test(path)) continue
      const name = path.slice(path.lastIndexOf('/') + 1)
      if (name === '.git') {
        if (entry.type === 'directory' && fs.find(`${path}/HEAD`) !== undefined) repositories.push(path)
      } else if (entry.type === 'file' && entry.size <= keyLimit) {
        if (!keyName.test(name)) yield* credentialsIn(fs, found, name)
        else if (privateKey.test(fs.read(found).toString('latin1'))) keys.push(path)
      }
    }
    for (const inOneFolder of Map.groupBy(keys.sort(), folderOf).values()) yield* keysIn(inOneFolder)
    yield* gitIn(repositories.sort())
  },
}

function* tokensOfEnv({ config }) {
  for (const [name, value] of config.env) {
    const known = hasToken(value)
    if (!known && !isSecretName(name, value)) continue
    yield {
      rule: 'secret',
      severity: 'warning',
      place: `Env ${name}`,
      why: `${known ? 'It holds what looks like a token' : 'Its name says that it is a secret'}, and everyone who can pull the image can read it with \`docker inspect\`.`,
      fix: `Take \`${name}\` out of \`config.Env\` and hand it over when the container is started; replace it where it was real.`,
    }
  }
}

function* keysIn([path, ...more]) {
  if (path === undefined) return
  // Packages have keys to show and to test with; a file that someone put into the store has a store path of its own.
  const inPackage = /^\/nix\/store\/[^/]+\//.test(path) && !/^\/nix\/store\/[^/]+-source\//.test(path)
  const what =
    more.length === 0 ? 'This is a private key' : `This is a private key, and so ${others(more)} here`
  yield {
    rule: 'private-key',
    severity: inPackage ? 'hint' : 'warning',
    place: path,
    why: `${what}. Everyone who can pull the image has it, even where a layer above takes it away again.`,
    fix: 'Keep it out of the image and mount it when the container is started; make a new one where it was in use.',
  }
}

/** `is one more`, `are 2 more` */
function others({ length }) {
  return length === 1 ? 'is one more' : `are ${length} more`
}

function folderOf(path) {
  return path.slice(0, path.lastIndexOf('/'))
}

function* credentialsIn(fs, found, name) {
  if (!secretFiles.get(name)?.(found.path, fs.read(found).toString('utf8'))) return
  yield {
    rule: 'secret',
    severity: 'warning',
    place: found.path,
    why: 'This file holds credentials. Everyone who can pull the image has them, even where a layer above takes it away again.',
    fix: 'Keep it out of the image (`builtins.path` with a `filter`, or `lib.fileset`) and mount it when the container is started; replace what was in it.',
  }
}

function* gitIn([first, ...more]) {
  if (first === undefined) return
  yield {
    rule: 'git',
    severity: 'warning',
    place: first,
    why: `This is a git repository${more.length === 0 ? '' : `, and so ${others(more)}`}: its whole history is published with the image, and whoever made the clone may have left credentials in its config.`,
    fix: 'Copy what git tracks alone: `src = self` of a flake, `lib.fileset.gitTracked ./.`, or `builtins.path` with a `filter`; with `fetchgit` no `leaveDotGit`.',
  }
}
