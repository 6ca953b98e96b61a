import { __toESM } from "./packages/rolldown-runtime.js";
import { require_parse } from "./packages/semver.js";

// \0import:semver/functions/parse.js
var import_parse = /* @__PURE__ */ __toESM(require_parse());

var parse_default = import_parse.default;
export { parse_default as default };