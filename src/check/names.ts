const names = [
  'user',
  'working-directory',
  'entrypoint',
  'command',
  'healthcheck',
  'shebang',
  'script',
  'format',
  'interpreter',
  'library',
  'architecture',
  'supervisord',
  'services',
  'systemd',
  'nginx',
  'tmp',
  'home',
  'certificates',
  'nsswitch',
  'hosts',
  'private-key',
  'secret',
  'git',
  'toolchain',
] as const

export type RuleName = (typeof names)[number]

/** Names that findings can have: what can be turned off. */
export const ruleNames: readonly string[] = names
