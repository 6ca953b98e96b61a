/** What we use of https://webassembly.github.io/spec/js-api/: TypeScript has it with the browser's types only. */
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array)
  }
  class Instance {
    constructor(module: Module)
    readonly exports: unknown
  }
}
