const pattern =
  /^(?<day>\d{4}-\d\d-\d\d)[T ](?<time>\d\d:\d\d)(?::(?<second>\d\d)(?:\.(?<fraction>\d+))?)?(?:Z|(?<sign>[+-])(?<offset>\d\d:\d\d))$/

/**
 * What Python makes of a date: `datetime.fromisoformat` and `isoformat`, which leaves the time zone as it is.
 * https://docs.python.org/3/library/datetime.html#datetime.datetime.fromisoformat
 * @param text a date with its time zone, or `now`
 * @returns undefined when it is no such date
 */
export function pythonDate(text, now) {
  if (text === 'now') {
    const iso = now.toISOString()
    return pythonDate(iso, now)
  }
  const groups = pattern.exec(text)?.groups
  if (groups === undefined) return undefined
  const { day, time, second = '00', fraction = '', sign = '+', offset = '00:00' } = groups
  const micro = fraction.slice(0, 6).padEnd(6, '0')
  // JavaScript takes 24:00 and the 31st of any month.
  const local = new Date(`${day}T${time}:${second}Z`)
  if (Number.isNaN(local.getTime()) || !local.toISOString().startsWith(`${day}T${time}`)) return undefined
  const [hours = 0, minutes = 0] = offset.split(':').map(Number)
  if (hours > 23 || minutes > 59) return undefined
  const zone = hours === 0 && minutes === 0 ? '+' : sign
  const ahead = (sign === '-' ? -60 : 60) * (60 * hours + minutes)
  return {
    iso: `${day}T${time}:${second}${Number(micro) === 0 ? '' : `.${micro}`}${zone}${offset}`,
    // Not the minus zero that half a second before the epoch would give.
    seconds: Math.trunc(local.getTime() / 1000 - ahead + Number(`0.${micro}`)) + 0,
  }
}
