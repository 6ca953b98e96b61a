import { parseImageTest } from '../../../src/container/image-test.ts'
import type { Report } from '../../../src/report.ts'
import { findEngine } from '../../../src/steps/load.ts'
import { testImage } from '../../../src/steps/test.ts'
import { UserError } from '../../../src/util/errors.ts'
import type { Log } from '../../../src/util/log.ts'
import { Phases } from '../../../src/util/phases.ts'

/**
 * Tests images that an engine has, and says as one line of JSON for each what was printed and what became of it.
 * Arguments: the engine, the image, and the texts of its tests.
 */
const [name, image = '', ...texts] = process.argv.slice(2)
const env = Object.fromEntries(Object.entries(process.env).map(([name, value = '']) => [name, value]))
for (const text of texts) {
  const said: string[] = []
  const runner: Log = {
    debug: () => {},
    info: message => said.push(message),
    warning: message => said.push(`warning: ${message}`),
    group: (title, work) => {
      said.push(title)
      return work()
    },
  }
  const report: Report = { phases: [] }
  const test = parseImageTest(text)
  if (test === undefined) throw new Error(`'${text}' is no test`)
  const { signal } = new AbortController()
  const job = { runner, report, signal, phases: new Phases() }
  const engine = await findEngine({ inputs: { load: false, test }, env, signal })
  if (engine === undefined || engine.name !== name) throw new Error(`${name} does not answer`)
  let failure: Pick<UserError, 'message' | 'detail' | 'advice'> | undefined
  try {
    await testImage(job, {
      engine,
      test,
      image,
      id: 'sha256:sample',
    })
  } catch (error) {
    if (!(error instanceof UserError)) throw error
    const { message, detail, advice } = error
    failure = { message, detail, advice }
  }
  console.log(JSON.stringify({ said, failure, tested: report.tested }))
}
