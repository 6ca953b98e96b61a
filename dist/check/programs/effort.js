/** Places of one image that are looked at for its programs and their libraries; large images take some ten thousand. */
const most = 500_000

const spent = new WeakMap()

/**
 * Whether an image may be looked at in so many places more. An image that names programs without end is not looked
 * at without end: nothing is said of those that come after.
 */
export function mayLook(fs, places = 1) {
  const sum = (spent.get(fs) ?? 0) + places
  spent.set(fs, sum)
  return sum <= most
}
