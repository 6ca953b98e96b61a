import { startedPrograms } from '../configs/started.ts'
import type { Rule, Subject } from '../model.ts'
import { defaultPath } from '../programs/lookup.ts'

const rule = 'certificates'
/** Variables by which programs are told where the certificates are. */
const variables = [
  'SSL_CERT_FILE',
  'NIX_SSL_CERT_FILE',
  'CURL_CA_BUNDLE',
  'GIT_SSL_CAINFO',
  'REQUESTS_CA_BUNDLE',
  'SYSTEM_CERTIFICATE_PATH',
  'SSL_CERT_DIR',
]
/** Where the libraries of the distributions look, and so nixpkgs' and Go's. */
const bundles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/ssl/certs/ca-bundle.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
  '/etc/ssl/ca-bundle.pem',
]
/**
 * Programs that are there to get something over TLS, and that bring no certificates of their own. A library alone tells
 * nothing: servers have it, too.
 */
const clients =
  /^(?:curl|wget2?|git|git-remote-https|aria2c|rclone|restic|skopeo|nix|gh|aws|kubectl|helm|terraform|vault|msmtp)$/

/** Whether programs that are clients of TLS find certificates: without, every connection is refused. */
export const certificatesRule: Rule = {
  *inspect(subject) {
    const { fs, config } = subject
    for (const variable of variables) {
      const path = config.env.get(variable)
      if (path?.startsWith('/') !== true || fs.find(path) !== undefined) continue
      yield {
        rule,
        severity: 'warning',
        place: `Env ${variable}`,
        why: `The image has no \`${path}\`: programs that read the variable trust nobody, and TLS fails with \`unable to get local issuer certificate\` or the like.`,
        fix: `Write \`"${variable}=\${pkgs.cacert}/etc/ssl/certs/ca-bundle.crt"\`: so the image has it, too.`,
      }
    }
    if (
      variables.some(variable => config.env.has(variable)) ||
      bundles.some(path => fs.find(path) !== undefined)
    )
      return
    if (fs.list('/etc/ssl/certs').length > 0) return
    const client = clientOf(subject)
    if (client === undefined) return
    yield {
      rule,
      severity: 'warning',
      place: client,
      why: 'It connects by TLS, and the image has no certificates of authorities in any place where they are looked for: `unable to get local issuer certificate`.',
      fix: `Add \`pkgs.dockerTools.caCertificates\` to the contents, or \`"SSL_CERT_FILE=\${pkgs.cacert}/etc/ssl/certs/ca-bundle.crt"\` to \`config.Env\`.`,
    }
  },
}

/** A client that starts, or that can be called by its name. */
function clientOf(subject: Subject): string | undefined {
  const { fs, config } = subject
  const started = startedPrograms(subject).find(({ name, path }) => clients.test(name) && path !== undefined)
  if (started !== undefined) return started.path
  const folders = (config.env.get('PATH') ?? defaultPath).split(':').filter(folder => folder.startsWith('/'))
  for (const folder of folders) {
    const name = fs.list(folder).find(name => clients.test(name) && isClient(subject, `${folder}/${name}`))
    if (name !== undefined) return `${folder}/${name}`
  }
  return undefined
}

/** Busybox does not look at certificates. */
function isClient({ fs }: Subject, path: string): boolean {
  const target = fs.find(path)
  return target?.entry.type === 'file' && !target.path.endsWith('/busybox')
}
