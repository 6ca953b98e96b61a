import { readlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Evaluated } from './flake.ts'
import type { Installable } from './installable.ts'

/**
 * Whether an installable is a development shell. What `nix develop` needs of it is not its output, which many shells
 * refuse to build, but a derivation that Nix makes of it: it runs the shell's set-up and keeps the variables that come
 * of that. The store path of those refers to all that is in the shell.
 */
export function isShell({ attributes }: Installable): boolean {
  return attributes.length > 1 && (attributes[0] === 'devShells' || attributes[0] === 'devShell')
}

/** Arguments for a `nix` that builds what `nix develop` will look for, and leaves a link to it at `profile`. */
export function shellCommand({ drvPath, outputs }: Evaluated, profile: string): string[] {
  return ['print-dev-env', `${drvPath}^${Object.keys(outputs)[0] ?? 'out'}`, '--profile', profile]
}

/** The store path that `shellCommand` linked. */
export async function shellPath(profile: string): Promise<string> {
  // A profile is a link to the link of its newest generation.
  return await readlink(join(dirname(profile), await readlink(profile)))
}

/**
 * Arguments for a `nix` that builds the Bash which `nix develop` starts: that of the flake's input `nixpkgs`. Undefined
 * for a flake without such an input; Nix then asks for the newest nixpkgs, which nobody can bring before.
 */
export function bashCommand({ installable, source }: Evaluated, system: string): string[] | undefined {
  if (!source.inputs.includes('nixpkgs')) return undefined
  const bash = `nixpkgs#legacyPackages.${system}.bashInteractive`
  // The registry on the internet is not asked for a name that the flake has.
  return ['build', bash, '--inputs-from', installable.flake || '.', '--option', 'flake-registry', '']
}
