import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Account, accountOf } from '../../../../src/check/programs/account.ts'

const passwd = `root:x:0:0:root:/root:/bin/sh
# a comment
half
 app:x:1000:100::/home/app:/bin/sh
app:x:2000:200::/other:/bin/sh
1001:x:7:7::/seven:/bin/sh
`
const group = `root:x:0:
users:x:100:
audio:x:29:pulse,app
video:x:44:app
`

const cases: Readonly<Record<string, Account>> = {
  '': { user: { uid: 0, gids: [0] }, name: 'root', home: '/root' },
  root: { user: { uid: 0, gids: [0] }, name: 'root', home: '/root' },
  app: { user: { uid: 1000, gids: [100, 29, 44] }, name: 'app', home: '/home/app' },
  '1000': { user: { uid: 1000, gids: [100, 29, 44] }, name: 'app', home: '/home/app' },
  'app:video': { user: { uid: 1000, gids: [44] }, name: 'app', home: '/home/app' },
  'app:44': { user: { uid: 1000, gids: [44] }, name: 'app', home: '/home/app' },
  'app:4711': { user: { uid: 1000, gids: [4711] }, name: 'app', home: '/home/app' },
  ':audio': { user: { uid: 0, gids: [29] }, name: 'root', home: '/root' },
  '5:6': { user: { uid: 5, gids: [6] }, name: undefined, home: undefined },
  // A number is never a name.
  '1001': { user: { uid: 1001, gids: [0] }, name: undefined, home: undefined },
  // What is missing in a line counts as 0, as engines have it.
  half: { user: { uid: 0, gids: [0] }, name: 'half', home: undefined },
  nobody: { unknown: 'user', name: 'nobody' },
  'app:nogroup': { unknown: 'group', name: 'nogroup' },
}

for (const [user, account] of Object.entries(cases))
  test(`the user ${JSON.stringify(user)}`, () => assert.deepEqual(accountOf(user, passwd, group), account))

test('without files there are numbers, and root where nobody is named', () => {
  assert.deepEqual(accountOf('', '', ''), { user: { uid: 0, gids: [0] }, name: undefined, home: undefined })
  assert.deepEqual(accountOf('12', '', ''), {
    user: { uid: 12, gids: [0] },
    name: undefined,
    home: undefined,
  })
  assert.deepEqual(accountOf('root', '', ''), { unknown: 'user', name: 'root' })
})
