const x86 = { bits: 32, bigEndian: false, number: 3 }
const x86_64 = { bits: 64, bigEndian: false, number: 62 }
const arm = { bits: 32, bigEndian: false, number: 40 }
const aarch64 = { bits: 64, bigEndian: false, number: 183 }

/** Programs that run on an image's architecture: the first everywhere, the others on some machines. */
const machines = new Map(
  Object.entries({
    amd64: [x86_64, x86, { ...x86_64, bits: 32 }],
    386: [x86, x86_64],
    arm64: [aarch64, arm],
    arm: [arm, aarch64],
    riscv64: [{ bits: 64, bigEndian: false, number: 243 }],
    ppc64le: [{ bits: 64, bigEndian: false, number: 21 }],
    s390x: [{ bits: 64, bigEndian: true, number: 22 }],
    loong64: [{ bits: 64, bigEndian: false, number: 258 }],
  }),
)

const names = {
  3: '386',
  8: 'mips',
  20: 'ppc',
  21: 'ppc64',
  22: 's390x',
  40: 'arm',
  62: 'amd64',
  183: 'arm64',
  243: 'riscv',
  258: 'loong64',
}

/** Whether a program certainly runs on no machine of an image's architecture. What nobody knows here may run. */
export function cannotRun(machine, architecture) {
  const known = machines.get(architecture)
  return known !== undefined && !known.some(one => sameMachine(one, machine))
}

export function sameMachine(a, b) {
  return a.bits === b.bits && a.bigEndian === b.bigEndian && a.number === b.number
}

/** What images call a processor. */
export function nameOf({ number, bits, bigEndian }) {
  const name = names[number]
  return name ?? `a processor with the number ${number}, ${bits} bit, ${bigEndian ? 'big' : 'little'} endian`
}
