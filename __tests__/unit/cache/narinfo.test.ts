import assert from 'node:assert/strict'
import { test } from 'node:test'
import { narFile, renderNarInfo } from '../../../src/cache/narinfo.ts'
import { base32OfHash } from '../../../src/util/base32.ts'
import { pathName, samplePath } from './sample.ts'

test('hashes are read in both of the forms that Nix prints', () => {
  // One that `nix path-info` and `nix-store --query --hash` gave.
  const other = '1bphx7mm1dk8cbnwwc1dqjxn0898i4flrzlg3lp3df3kfp79yxp2'
  assert.equal(base32OfHash('sha256-4nafznVzuDYuHY/+TB2JKCFgu8QtMM7tYmi2UOvp8K4='), other)
  assert.equal(base32OfHash(`sha256:${other}`), other)
  for (const hash of ['sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=', 'sha256:', '', 'sha256-AAAA'])
    assert.equal(base32OfHash(hash), undefined, hash)
})

test('a narinfo has the fields that Nix reads', () => {
  const path = samplePath('app', {
    references: [pathName('app'), pathName('lib')],
    deriver: `${pathName('app')}.drv`,
    signatures: ['a:AAAA', 'b:BBBB'],
    ca: 'fixed:r:sha256:0abc',
  })
  assert.equal(
    renderNarInfo(path, narFile(path.fileHash)),
    `StorePath: /nix/store/${path.name}
URL: nar/${path.fileHash}.nar.zst
Compression: zstd
FileHash: sha256:${path.fileHash}
FileSize: 1000
NarHash: sha256:${path.narHash}
NarSize: 2000
References: ${pathName('app')} ${pathName('lib')}
Deriver: ${pathName('app')}.drv
Sig: a:AAAA
Sig: b:BBBB
CA: fixed:r:sha256:0abc
`,
  )
})
