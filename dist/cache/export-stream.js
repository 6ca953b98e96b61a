/** Stands after each NAR: `NIXE`. */
const mark = 0x4558494e

/** No word of a NAR, no file name and no store path is longer. */
const longest = 64 * 1024

/**
 * Takes apart what `nix-store --export` writes: for each path 1, its NAR, a mark, the path, its references, its deriver
 * and 0; then 0. Nix does not say how long a NAR will be, so its structure is followed to its end; what files contain
 * passes without being looked at. Pieces refer to the memory of `chunks`.
 * https://nix.dev/manual/nix/latest/protocols/nix-archive/
 * @throws Error when the stream breaks off or is something else.
 */
export async function* readExport(chunks) {
  const grammar = exported()
  const collected = Buffer.alloc(longest)
  let want = grammar.next()
  let done = 0
  let inNar = false
  for await (const chunk of chunks) {
    let at = 0
    let narFrom = 0
    while (want.done !== true) {
      const step = want.value
      if (step === 'narBegins' || step === 'narEnds') {
        if (inNar && at > narFrom) yield { nar: chunk.subarray(narFrom, at) }
        inNar = step === 'narBegins'
        narFrom = at
        want = grammar.next()
      } else if ('path' in step) {
        yield step
        want = grammar.next()
      } else {
        const wanted = 'read' in step ? step.read : step.pass
        const length = Math.min(wanted - done, chunk.length - at)
        if ('read' in step) collected.set(chunk.subarray(at, at + length), done)
        at += length
        done += length
        if (done < wanted) break
        done = 0
        want = grammar.next('read' in step ? collected.subarray(0, wanted) : undefined)
      }
    }
    if (inNar && at > narFrom) yield { nar: chunk.subarray(narFrom, at) }
    if (want.done === true && at < chunk.length) throw unexpected()
  }
  if (want.done !== true) throw new Error('nix-store --export broke off')
}

function* exported() {
  for (let more = yield* number(); more !== 0; more = yield* number()) {
    yield 'narBegins'
    if ((yield* text()) !== 'nix-archive-1') throw unexpected()
    yield* node()
    yield 'narEnds'
    if (more !== 1 || (yield* number()) !== mark) throw unexpected()
    const path = yield* text()
    for (let references = yield* number(); references > 0; references--) yield* text()
    yield* text()
    yield* number()
    yield { path }
  }
}

function* node() {
  if ((yield* text()) !== '(' || (yield* text()) !== 'type') throw unexpected()
  yield* text()
  for (let word = yield* text(); word !== ')'; word = yield* text()) {
    if (word === 'contents') {
      const length = yield* number()
      yield { pass: padded(length) }
    } else if (word === 'executable' || word === 'target') yield* text()
    else if (word === 'entry') yield* entry()
    else throw unexpected()
  }
}

function* entry() {
  if ((yield* text()) !== '(' || (yield* text()) !== 'name') throw unexpected()
  yield* text()
  if ((yield* text()) !== 'node') throw unexpected()
  yield* node()
  if ((yield* text()) !== ')') throw unexpected()
}

/** 64 bits, little-endian. */
function* number() {
  const bytes = yield { read: 8 }
  const value = Number(bytes?.readBigUInt64LE())
  if (!Number.isSafeInteger(value)) throw unexpected()
  return value
}

/** Its length, then its bytes, filled up to a multiple of eight. */
function* text() {
  const length = yield* number()
  if (length > longest - 8) throw unexpected()
  if (length === 0) return ''
  const bytes = yield { read: padded(length) }
  return bytes?.toString('latin1', 0, length) ?? ''
}

function padded(length) {
  return Math.ceil(length / 8) * 8
}

function unexpected() {
  return new Error('nix-store --export wrote something else than paths')
}
