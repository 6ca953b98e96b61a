import { nginxRule } from './configs/nginx.js'
import { servicesRule } from './configs/services.js'
import { supervisordRule } from './configs/supervisord.js'
import { systemdRule } from './configs/systemd.js'
import { certificatesRule } from './files/certificates.js'
import { homeRule } from './files/home.js'
import { leftoverRule } from './files/leftovers.js'
import { nameServiceRule } from './files/name-service.js'
import { tmpRule } from './files/tmp.js'
import { toolchainRule } from './files/toolchain.js'

/** Rules on files of an image: configs that name programs, places that programs expect, and what should not be there. */
export const fileRules = Object.freeze([
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
