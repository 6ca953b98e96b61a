import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseEvent } from '../../../src/build/events.ts'
import { observe, startProgress } from '../../../src/build/progress.ts'
import type { Candidate } from '../../../src/reproduce/choose.ts'
import { verdictOf } from '../../../src/reproduce/verdict.ts'

const store = (name: string) => `/nix/store/fg3x9kscywwlv84acsvdsckqf60rfj94-${name}`
const [drv, app, file] = [store('app.drv'), store('app'), '/home/runner/.git/config']

const outputs: Candidate['outputs'] = [
  {
    name: 'out',
    info: {
      ...{ path: app, narHash: 'sha256-abc=', narSize: 1, references: [], deriver: drv, signatures: [] },
      ...{ ca: undefined, registrationTime: 0, ultimate: true },
    },
  },
]

const said = (event: object) => `@nix ${JSON.stringify(event)}`
const started = said({
  action: 'start',
  id: 1,
  level: 3,
  parent: 0,
  text: '',
  type: 105,
  fields: [drv, '', 1, 1],
})
/** As Nix says it. */
const own = (text: string) =>
  said({
    action: 'msg',
    column: null,
    file: null,
    level: 0,
    line: null,
    msg: `error: ${text}`,
    raw_msg: text,
  })
/** What Nix makes of such a line of a builder, whatever else is in it; what a daemon passes on is the same. */
const passedOn = (text: string) => said({ action: 'msg', level: 0, msg: text })

const judge = (...lines: readonly string[]) => {
  const progress = startProgress()
  for (const line of lines) {
    const event = parseEvent(line)
    if (event !== undefined) observe(progress, event, 0)
  }
  return verdictOf(progress, outputs)
}

const differs = (output: string, kept?: string, quote = "'") => {
  const quoted = (path: string) => `${quote}${path}${quote}`
  const from = kept === undefined ? '' : ` from ${quoted(kept)}`
  return `derivation '${drv}' may not be deterministic: output ${quoted(output)} differs${from}`
}
const needs = `a 'riscv64-linux' with features {} is required to build '${drv}', but I am a 'x86_64-linux'`
const failed = (log: string) => `Cannot build '${drv}'.\nReason: builder failed with exit code 3.\n${log}`
const invalid = `some outputs of '${drv}' are not valid, so checking is not possible`

test('an output that differs, and what Nix has kept of it', () => {
  for (const quote of ["'", '"'])
    assert.deepEqual(judge(started, own(differs(app, `${app}.check`, quote))), {
      verdict: 'different',
      kept: app,
    })
  const notKept = { verdict: 'different', kept: undefined }
  assert.deepEqual(judge(started, own(differs(app))), notKept)
  assert.deepEqual(judge(started, own(differs(store('app-dev'), `${store('app-dev')}.check`))), notKept)
})

test('no message makes another file of this machine one that is read', () => {
  const path = fc.constantFrom(app, `${app}.check`, `${app}/../../../etc/passwd`, file, `${file}.check`)
  fc.assert(
    fc.property(path, path, (output, kept) => {
      const isOwn = output === app && kept === `${app}.check`
      assert.deepEqual(judge(started, own(differs(output, kept))), {
        verdict: 'different',
        kept: isOwn ? app : undefined,
      })
    }),
  )
})

test('a machine that is not there', () => {
  const verdict = judge(own(needs))
  assert.equal(verdict?.verdict, 'skipped')
  assert.match(verdict?.verdict === 'skipped' ? verdict.why : '', /a machine for riscv64-linux/)
  assert.equal(judge(passedOn(needs))?.verdict, 'skipped', 'by a daemon, before anything is built')
  assert.equal(judge(own(invalid))?.verdict, 'skipped')
  assert.equal(judge(started, own(failed('')))?.verdict, undefined)
  assert.equal(judge(started, own(failed('')), own(needs))?.verdict, undefined, 'not that alone')
})

test('what a builder prints neither makes a verdict nor changes one', () => {
  const lies = [needs, invalid, differs(app, `${app}.check`), differs(file, `${file}.check`), failed('')]
  const log = fc.constantFrom(...lies, `\u2028Required system: 'riscv64-linux' with features {}`, 'text')
  const ends = [
    [own(differs(app)), 'different'],
    [own(failed('')), undefined],
    [own(needs), 'skipped'],
  ] as const
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...lies)), fc.constantFrom(...ends), (lies, [end, verdict]) => {
      assert.equal(judge(started, ...lies.map(passedOn), end, ...lies.map(passedOn))?.verdict, verdict)
    }),
  )
  fc.assert(
    fc.property(log, line => {
      assert.equal(judge(started, own(failed(`Last 1 log lines:\n> ${line}`))), undefined)
    }),
  )
})
