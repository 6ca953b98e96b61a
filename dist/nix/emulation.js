import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/** What emulators are registered as, by the processors that they stand in for. */
const emulators = {
  x86_64: 'qemu-x86_64',
  i686: 'qemu-i386',
  aarch64: 'qemu-aarch64',
  armv7l: 'qemu-arm',
  armv6l: 'qemu-arm',
  armv5tel: 'qemu-arm',
  riscv64: 'qemu-riscv64',
  powerpc64le: 'qemu-ppc64le',
  s390x: 'qemu-s390x',
  loongarch64: 'qemu-loongarch64',
}

/**
 * Those of the systems whose programs the kernel hands to an emulator that also a sandbox can use.
 * https://docs.kernel.org/admin-guide/binfmt-misc.html
 * @param folder where the kernel tells. @default /proc/sys/fs/binfmt_misc
 */
export async function emulated(systems, folder = '/proc/sys/fs/binfmt_misc') {
  const found = []
  for (const system of systems) {
    const name = emulators[system.split('-')[0] ?? '']
    const entry = name && (await readFile(join(folder, name), 'utf8').catch(() => undefined))
    // With F the kernel has the emulator open already: it need not be seen where it is used.
    if (entry && /^enabled$/m.test(entry) && /^flags: .*F/m.test(entry)) found.push(system)
  }
  return found
}
