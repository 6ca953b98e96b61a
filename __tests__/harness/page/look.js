// Runs in the browser. Gives what it shows in a frame: see `Seen` in page.ts.
function look(frame) {
  const page = frame.contentDocument
  const article = page.querySelector('article')
  const all = (selector, within = page) => [...within.querySelectorAll(selector)]
  const text = element => element.textContent
  const prose = article.cloneNode(true)
  for (const code of all('code', prose)) code.remove()
  const { clientWidth, scrollWidth } = page.documentElement
  return {
    width: clientWidth,
    contentWidth: scrollWidth,
    height: article.getBoundingClientRect().height,
    headings: all('h1, h2, h3, h4, h5, h6').map(text),
    tables: all('table').map(table => all('tr', table).map(row => all('th, td', row).map(text))),
    scrolling: all('table, pre').filter(isWider).map(text),
    codeBlocks: all('pre').map(text),
    folded: all('details > summary').map(text),
    text: text(prose),
    glyphs: glyphs(article),
  }
}

function isWider({ scrollWidth, clientWidth }) {
  return scrollWidth > clientWidth
}

function glyphs(article) {
  const sample = article.ownerDocument.createElement('pre')
  const code = sample.appendChild(article.ownerDocument.createElement('code'))
  article.append(sample)
  const widths = [...'m█▌▐▒░'].map(glyph => {
    code.textContent = glyph.repeat(10)
    return [glyph, code.getBoundingClientRect().width / 10]
  })
  sample.remove()
  return Object.fromEntries(widths)
}

addEventListener('load', () => {
  const seen = JSON.stringify([...document.querySelectorAll('iframe')].map(look))
  // What is left is written as HTML, which base64 goes through as it is.
  document.body.textContent = new TextEncoder().encode(seen).toBase64()
})
