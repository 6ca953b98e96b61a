import { entrypointRule } from './entrypoint.ts'
import type { Rule } from './model.ts'
import { userRule } from './user.ts'
import { workingDirectoryRule } from './working-directory.ts'

/** Rules on what a container starts. */
export const programRules: readonly Rule[] = [userRule, workingDirectoryRule, entrypointRule]
