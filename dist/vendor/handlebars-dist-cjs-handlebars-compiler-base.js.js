import { require_base } from "./packages/handlebars.js";

// \0import:handlebars/dist/cjs/handlebars/compiler/base.js
var import_base = require_base();

var parse = import_base.parse;
export { parse };