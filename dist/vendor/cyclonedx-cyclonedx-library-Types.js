import { require_types } from "./packages/cyclonedx-cyclonedx-library.js";

// \0import:@cyclonedx/cyclonedx-library/Types
var import_types = require_types();

var isCPE = import_types.isCPE;
export { isCPE };