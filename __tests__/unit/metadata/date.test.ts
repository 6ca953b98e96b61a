import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { dateFormat } from '../../../src/metadata/date.ts'

const at = (date: string, format: string, zone?: string) => dateFormat(format, zone)(new Date(date))

test('weeks belong to the year that most of their days are in, or that January 1 is in', () => {
  const weeks = 'GGGG-[W]WW-E gggg-ww-e'
  assert.equal(at('2021-01-03', weeks), '2020-W53-7 2021-02-0')
  assert.equal(at('2020-12-31', weeks), '2020-W53-4 2021-01-4')
  assert.equal(at('2022-01-01', weeks), '2021-W52-6 2022-01-6')
  assert.equal(at('2024-12-30', weeks), '2025-W01-1 2025-01-1')
})

test('a time zone has its own day, and its own summer', () => {
  const format = 'YYYY-MM-DD HH:mm Z ZZ DDDD'
  assert.equal(at('2026-03-08T06:59:00Z', format, 'America/New_York'), '2026-03-08 01:59 -05:00 -0500 067')
  assert.equal(at('2026-03-08T07:00:00Z', format, 'America/New_York'), '2026-03-08 03:00 -04:00 -0400 067')
  assert.equal(at('2024-12-31T12:00:00Z', format, 'Pacific/Kiritimati'), '2025-01-01 02:00 +14:00 +1400 001')
  assert.equal(at('2024-12-31T12:00:00Z', format, 'america/st_johns'), '2024-12-31 08:30 -03:30 -0330 366')
})

test('what is in brackets or behind a backslash is a text', () => {
  assert.equal(at('2026-01-02', String.raw`[YYYY] \YYYY [a] b T`), 'YYYY YYYY a b T')
})

test('every date comes back from how it is written', () => {
  const zone = fc.constantFrom(...Intl.supportedValuesOf('timeZone'))
  const date = fc.date({ min: new Date('1970-01-02'), max: new Date('2100-01-01'), noInvalidDate: true })
  fc.assert(
    fc.property(date, zone, (date, zone) => {
      assert.equal(Date.parse(dateFormat('YYYY-MM-DDTHH:mm:ss.SSSZ', zone)(date)), date.getTime())
      assert.equal(dateFormat('x')(date), String(date.getTime()))
    }),
  )
})
