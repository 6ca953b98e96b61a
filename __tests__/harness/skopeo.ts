import { join } from 'node:path'
import { partsBin } from '../../script/parts/paths.ts'
import { type ExecResult, exec } from '../../src/util/exec.ts'

/**
 * Runs the real skopeo, which keeps what it keeps in `home` and its temporary files, too.
 * A non-zero exit is a result, not an exception.
 */
export function skopeo(home: string, args: readonly string[]): Promise<ExecResult> {
  return exec(join(partsBin, 'skopeo'), args, {
    // Whatever its flags, root's skopeo writes to /var/lib/containers, unless it takes itself for another user's.
    env: { HOME: home, TMPDIR: home, DOCKER_CONFIG: home, _CONTAINERS_ROOTLESS_UID: '1' },
  })
}
