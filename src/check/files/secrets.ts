/** Tokens that can be told by their form, as those who issue them say. */
const token = new RegExp(
  [
    'gh[pousr]_[A-Za-z0-9]{36,}',
    'github_pat_[A-Za-z0-9_]{50,}',
    'glpat-[A-Za-z0-9_-]{20,}',
    'npm_[A-Za-z0-9]{36}',
    'xox[abeoprs]-[A-Za-z0-9-]{10,}',
    '(?:AKIA|ASIA)[A-Z0-9]{16}',
    'AIza[A-Za-z0-9_-]{35}',
    'sk_live_[A-Za-z0-9]{20,}',
    '-----BEGIN [A-Z ]*PRIVATE KEY',
  ]
    .map(form => `(?<![A-Za-z0-9_])${form}`)
    .join('|'),
)

export function hasToken(text: string): boolean {
  return token.test(text)
}

const secretName =
  /(?:^|_)(?:TOKEN|PASSWORD|PASSWD|PASSPHRASE|SECRET|SECRETS|API_?KEY|ACCESS_KEY|SECRET_KEY|PRIVATE_KEY|CREDENTIALS)$/i
/** Switches, and what only says where the secret is. */
const harmless = /^(?:|true|false|yes|no|on|off|\d|none|null|\/.*|\$.*|[a-z]+:\/\/[^@]*|file:.*|<.*>|\*+)$/i

/** Whether a variable or a setting of that name is a secret with a value. */
export function isSecretName(name: string, value: string): boolean {
  return secretName.test(name) && !harmless.test(value.trim().replace(/^(['"])(.*)\1$/, '$2'))
}

/** By the name of a file: whether one of that path and text holds credentials. */
export const secretFiles: ReadonlyMap<string, (path: string, text: string) => boolean> = new Map([
  ['.netrc', (_, text) => /\bpassword\s+\S/.test(text)],
  ['.npmrc', (_, text) => /_(?:authToken|auth|password)\s*=\s*["']?(?!["']?\$)[^\s"']/.test(text)],
  ['.pypirc', (_, text) => /^[ \t]*password[ \t]*[=:][ \t]*\S/m.test(text)],
  ['.git-credentials', (_, text) => /:\/\/[^/\s:]+:[^/\s@]+@/.test(text)],
  ['config.json', (path, text) => path.endsWith('/.docker/config.json') && /"auth"\s*:\s*"[^"]/.test(text)],
  [
    'credentials',
    (path, text) =>
      path.endsWith('/.aws/credentials') && /^[ \t]*aws_secret_access_key[ \t]*=[ \t]*\S/im.test(text),
  ],
  ['hosts.yml', (path, text) => path.endsWith('/gh/hosts.yml') && /oauth_token:\s*\S/.test(text)],
  ['nix.conf', (_, text) => /^[ \t]*access-tokens[ \t]*=.*\S=\S/m.test(text)],
  ['.env', (_, text) => text.split('\n').some(isSecretLine)],
])

function isSecretLine(line: string): boolean {
  const [, name, value] = /^\s*(?:export\s+)?(\w+)\s*=(.*)$/.exec(line) ?? []
  return name !== undefined && value !== undefined && (hasToken(value) || isSecretName(name, value))
}
