import { nginxRule } from './configs/nginx.ts'
import { servicesRule } from './configs/services.ts'
import { supervisordRule } from './configs/supervisord.ts'
import { systemdRule } from './configs/systemd.ts'
import { certificatesRule } from './files/certificates.ts'
import { homeRule } from './files/home.ts'
import { leftoverRule } from './files/leftovers.ts'
import { nameServiceRule } from './files/name-service.ts'
import { tmpRule } from './files/tmp.ts'
import { toolchainRule } from './files/toolchain.ts'
import type { Rule } from './model.ts'

/** Rules on files of an image: configs that name programs, places that programs expect, and what should not be there. */
export const fileRules: readonly Rule[] = Object.freeze([
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
