import { nginxRule } from './configs/nginx.ts'
import { servicesRule } from './configs/services.ts'
import { supervisordRule } from './configs/supervisord.ts'
import { systemdRule } from './configs/systemd.ts'
import { entrypointRule } from './entrypoint.ts'
import { certificatesRule } from './files/certificates.ts'
import { homeRule } from './files/home.ts'
import { leftoverRule } from './files/leftovers.ts'
import { nameServiceRule } from './files/name-service.ts'
import { tmpRule } from './files/tmp.ts'
import { toolchainRule } from './files/toolchain.ts'
import type { Rule } from './model.ts'
import { userRule } from './user.ts'
import { workingDirectoryRule } from './working-directory.ts'

/** All that is looked for in an image. */
export const rules: readonly Rule[] = Object.freeze([
  userRule,
  workingDirectoryRule,
  entrypointRule,
  supervisordRule,
  servicesRule,
  systemdRule,
  nginxRule,
  tmpRule,
  homeRule,
  certificatesRule,
  nameServiceRule,
  leftoverRule,
  toolchainRule,
])
