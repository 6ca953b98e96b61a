import { accountIn } from './programs/account.js'

/** The configured user and group: engines look names up in the image, and start nothing where they are not there. */
export const userRule = { inspect: inspectUser }

function* inspectUser({ fs, config }) {
  const account = accountIn(fs, config.user)
  if ('user' in account) return
  const { unknown, name } = account
  const file = unknown === 'user' ? 'passwd' : 'group'
  const lines = unknown === 'user' ? 'extraPasswdLines' : 'extraGroupLines'
  const there =
    fs.find(`/etc/${file}`) === undefined ? `no /etc/${file}` : `no ${unknown} \`${name}\` in /etc/${file}`
  yield {
    rule: 'user',
    severity: 'error',
    place: 'User',
    why: `config.User is \`${config.user}\`, and the image has ${there}: \`unable to find ${unknown} ${name}: no matching entries in ${file} file\`.`,
    fix: `Set a number, \`config.User = "1000:1000"\`, or add \`(pkgs.dockerTools.fakeNss.override { ${lines} = [ … ]; })\` to \`contents\`.`,
  }
}
