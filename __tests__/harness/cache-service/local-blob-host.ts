/** Preload (`node --import`) that resolves the host names of the real blob store to this machine. */
import dns from 'node:dns'

const lookup = dns.lookup as (...args: unknown[]) => void

function lookupHere(host: string, ...rest: unknown[]): void {
  lookup(host.endsWith('.blob.core.windows.net') ? '127.0.0.1' : host, ...rest)
}

dns.lookup = Object.assign(lookupHere, dns.lookup) as typeof dns.lookup
