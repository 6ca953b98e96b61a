import { entrypointRule } from './entrypoint.js'

import { userRule } from './user.js'
import { workingDirectoryRule } from './working-directory.js'

/** Rules on what a container starts. */
export const programRules = [userRule, workingDirectoryRule, entrypointRule]
