import { nginxRule } from './configs/nginx.js'
import { servicesRule } from './configs/services.js'
import { supervisordRule } from './configs/supervisord.js'
import { systemdRule } from './configs/systemd.js'
import { entrypointRule } from './entrypoint.js'
import { certificatesRule } from './files/certificates.js'
import { homeRule } from './files/home.js'
import { leftoverRule } from './files/leftovers.js'
import { nameServiceRule } from './files/name-service.js'
import { tmpRule } from './files/tmp.js'
import { toolchainRule } from './files/toolchain.js'

import { userRule } from './user.js'
import { workingDirectoryRule } from './working-directory.js'

/** All that is looked for in an image. */
export const rules = Object.freeze([
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
