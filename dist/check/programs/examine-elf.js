import { formatPlatform } from '../../image/platform.js'

import { isMounted } from '../mounts.js'
import { absolute, basename, follow, mayExecute } from './access.js'
import { root } from './account.js'
import { cannotRun, nameOf, sameMachine } from './architecture.js'
import { ElfError, isElf, parseElf } from './elf.js'
import { readAt } from './file.js'
import { lackingLibraries } from './loader.js'
import { finding, isPrivileged } from './start.js'

/** Bytes that the kernel reads first, of whatever class. */
const headerLength = 64

/** Types of files that the kernel runs: at a fixed place, and anywhere. */
const programs = [2, 3]

/** Tells why the kernel will not run a program, or its loader will not load it. */
export function examineElf(subject, start, found) {
  const place = found.path
  const { fs, platform } = subject
  const said = `exec ${start.argv[0]}`
  let elf
  try {
    elf = parseElf(readAt(fs, found))
  } catch (error) {
    if (!(error instanceof ElfError)) throw error
    return [
      finding(start, {
        rule: 'format',
        place,
        why: `${start.place} starts it, and it is a damaged program (${error.message}): \`${said}: exec format error\`.`,
        fix: 'Build the package that it is from again, and see that nothing cuts or strips the file afterwards.',
      }),
    ]
  }
  if (!programs.includes(elf.type))
    return [
      finding(start, {
        rule: 'format',
        place,
        why: `${start.place} starts it, and it is an object file, not a program: \`${said}: exec format error\`.`,
        fix: 'Name the program that is linked from it.',
      }),
    ]
  if (cannotRun(elf.machine, platform.architecture))
    return [
      finding(start, {
        rule: 'architecture',
        place,
        why: `${start.place} starts it, it is for ${nameOf(elf.machine)}, and the image is for ${formatPlatform(platform)}: \`${said}: exec format error\`.`,
        fix: `Take the package for the image's system: \`pkgsCross\`, or \`packages.<system>\` of the flake, for ${formatPlatform(platform)}.`,
      }),
    ]
  if (elf.interpreter === undefined) return []
  return withInterpreter(subject, start, found, elf, elf.interpreter)
}

function withInterpreter(subject, start, found, elf, name) {
  const { fs } = subject
  const user = isPrivileged(start) ? root : start.user
  const followed = follow(fs, absolute(name, start.directory), user)
  if (followed.is === 'mounted') return []
  const because = (why, said) =>
    finding(start, {
      rule: 'interpreter',
      place: found.path,
      why: `${start.place} starts it, and its interpreter, \`${name}\`, ${why}: \`exec ${start.argv[0]}: ${said}\`.`,
      fix: name.startsWith('/nix/store/')
        ? 'The image lacks a part of the closure: let Nix find what it needs (`contents`, `config` or `copyToRoot`), do not copy single files.'
        : 'It was linked for another system: build it with Nix, or add `autoPatchelfHook` to `nativeBuildInputs` of its package.',
    })
  if (followed.is !== 'found') {
    const denied = followed.errno === 'EACCES'
    return [
      because(
        denied ? `is behind ${followed.at}, which is closed` : 'is not in the image',
        denied ? 'permission denied' : 'no such file or directory',
      ),
    ]
  }
  const interpreter = followed.found
  if (interpreter.entry.type !== 'file' || !mayExecute(interpreter.entry, user))
    return [because('may not be run', 'permission denied')]
  const read = readAt(fs, interpreter)
  const isShort = interpreter.entry.size < headerLength
  if (isShort || !isElf(read(0, 4)))
    return [
      because('is no ELF file', isShort ? 'input/output error' : 'accessing a corrupted shared library'),
    ]
  try {
    if (!sameMachine(parseElf(read).machine, elf.machine))
      return [because('is for another processor', 'accessing a corrupted shared library')]
  } catch (error) {
    if (!(error instanceof ElfError)) throw error
    return [because(`is damaged (${error.message})`, 'input/output error')]
  }
  if (['LD_LIBRARY_PATH', 'LD_PRELOAD'].some(variable => start.unknown?.has(variable))) return []
  const loading = {
    fs,
    isMounted: path => isMounted(subject, path),
    program: found,
    elf,
    interpreter: { name, found: interpreter },
    ...start,
  }
  return lackingLibraries(loading).map(lacking => libraryFinding(start, found, lacking))
}

function libraryFinding(start, found, { name, neededBy, damaged, loader }) {
  if (neededBy === undefined)
    return finding(start, {
      rule: 'library',
      place: 'Env',
      severity: 'warning',
      why: `LD_PRELOAD names ${name}, which is not where the loader looks: \`object '${name}' from LD_PRELOAD cannot be preloaded: ignored\`.`,
      fix: `Name it in full, \`"LD_PRELOAD=\${pkgs.jemalloc}/lib/libjemalloc.so"\`, or leave it out.`,
    })
  const by = neededBy === found.path ? '' : `, which ${neededBy} needs,`
  const missing =
    loader === 'glibc'
      ? `error while loading shared libraries: ${name}: cannot open shared object file: No such file or directory`
      : `Error loading shared library ${name}: No such file or directory`
  const why =
    damaged === undefined
      ? `the loader finds its library ${name}${by} nowhere: \`${missing}\``
      : `its library ${name}${by} cannot be loaded: ${damaged}`
  return finding(start, {
    rule: 'library',
    place: found.path,
    why: `${start.place} starts it, and ${why}.`,
    fix: `Let its package depend on what has ${basename(name)}: \`buildInputs\` with \`autoPatchelfHook\` for a program that was not built by Nix, or \`"LD_LIBRARY_PATH=\${pkgs.lib.makeLibraryPath [ … ]}"\` in \`config.Env\`.`,
  })
}
