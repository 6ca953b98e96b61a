/// <reference types="handlebars" />

/** The parser alone: what else the package does is not wanted here, and takes longer to load. */
declare module 'handlebars/dist/cjs/handlebars/compiler/base.js' {
  export function parse(text: string): hbs.AST.Program
}
