import type { RootFs } from '../../image/rootfs/model.ts'
import type { Finding, Rule } from '../model.ts'
import { isDirectory, readText } from '../text.ts'

/** Modules of `hosts:` that ask name servers. */
const asksServers = ['dns', 'resolve', 'libvirt', 'wins', 'sss']

/**
 * How names of hosts are found. Without nsswitch.conf glibc reads /etc/hosts and then asks name servers, since 2.35;
 * musl, Go and c-ares do so, too. So what is there is looked at, and images with an older glibc.
 * https://sourceware.org/bugzilla/show_bug.cgi?id=28700
 */
export const nameServiceRule: Rule = {
  *inspect({ fs }) {
    yield* containerFiles(fs)
    const path = '/etc/nsswitch.conf'
    const text = readText(fs, path)
    if (text === undefined) {
      const old = fs.list('/nix/store').find(name => /-glibc-2\.(?:[0-2]\d|3[0-4])(?:[.-]\d+)?$/.test(name))
      if (old === undefined) return
      yield {
        rule: 'nsswitch',
        severity: 'warning',
        place: path,
        why: `It is missing, and /nix/store/${old} then asks name servers before it reads /etc/hosts: \`localhost\` and what \`--add-host\` names may not be found.`,
        fix: 'Write it: `(pkgs.writeTextDir "etc/nsswitch.conf" "hosts: files dns\\n")` among the image\'s contents; `pkgs.dockerTools.fakeNss` has it, too.',
      }
      return
    }
    const lines = text.split('\n')
    const index = lines.findIndex(line => /^\s*hosts\s*:/.test(line))
    const modules = lines[index]
      ?.replace(/#.*/, '')
      .replace(/^\s*hosts\s*:/, '')
      .replace(/\[[^\]]*\]/g, '')
      .trim()
      .split(/\s+/)
    if (modules === undefined) return
    const lacks = !modules.includes('files')
      ? ['files', '/etc/hosts is not read: `localhost` and what `--add-host` names may not be found']
      : modules.some(module => asksServers.includes(module))
        ? undefined
        : ['dns', 'no name server is asked: names outside of /etc/hosts are not found']
    if (lacks === undefined) return
    yield {
      rule: 'nsswitch',
      severity: 'warning',
      place: `${path}:${index + 1}`,
      why: `\`hosts:\` lacks \`${lacks[0]}\`, so ${lacks[1]}.`,
      fix: 'Write `hosts: files dns`.',
    }
  },
}

/** What every container engine mounts files on. Where one is missing it is made; a folder cannot become one. */
function* containerFiles(fs: RootFs): Iterable<Finding> {
  for (const path of ['/etc/hosts', '/etc/resolv.conf', '/etc/hostname']) {
    if (!isDirectory(fs, path)) continue
    yield {
      rule: 'hosts',
      severity: 'error',
      place: path,
      why: `It is a directory, on which the container engine cannot mount its own file: \`error mounting … to rootfs at "${path}": not a directory\`.`,
      fix: 'Leave it out of the image: the engine makes it.',
    }
  }
}
