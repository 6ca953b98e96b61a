/** Whether every variant is run: `THOROUGH=true`, as CI has it by night. */
export const thorough = process.env.THOROUGH === 'true'

/** For a test's `skip`: what is a variant of another test that runs by day. */
export const byNight = thorough ? false : 'a variant, which is run with THOROUGH=true'
