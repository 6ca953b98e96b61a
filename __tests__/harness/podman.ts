import { join } from 'node:path'
import { partsBin } from '../../script/parts/paths.ts'
import type { Machine } from './machine.ts'
import { expect } from './nix-by-hand.ts'

/**
 * Sets up Podman for root in a machine, with storage that needs nothing of the kernel.
 * Gives the environment in which it runs.
 */
export async function setUpPodman(machine: Machine): Promise<Record<string, string>> {
  const home = '/root/podman'
  const files: Record<string, string> = {
    'containers.conf': [
      '[containers]',
      'netns = "none"',
      '[engine]',
      'runtime = "runc"',
      `conmon_path = ["${join(partsBin, 'conmon')}"]`,
      `helper_binaries_dir = ["${partsBin}"]`,
      'events_logger = "file"',
      '[engine.runtimes]',
      `runc = ["${join(partsBin, 'runc')}"]`,
    ].join('\n'),
    'storage.conf': `[storage]\ndriver = "vfs"\nrunroot = "${home}/run"\ngraphroot = "${home}/graph"`,
    '../.config/containers/policy.json': '{ "default": [{ "type": "insecureAcceptAnything" }] }',
  }
  for (const [name, text] of Object.entries(files)) {
    const write = 'mkdir -p "$(dirname "$0")" && printf "%s\\n" "$1" > "$0"'
    await expect(machine.run(['sh', '-c', write, join(home, name), text], { as: 'root' }))
  }
  return {
    PATH: `${partsBin}:${machine.env.PATH}`,
    CONTAINERS_CONF: join(home, 'containers.conf'),
    CONTAINERS_STORAGE_CONF: join(home, 'storage.conf'),
  }
}
