import { require_spdx } from "./packages/cyclonedx-cyclonedx-library.js";

// \0import:@cyclonedx/cyclonedx-library/SPDX
var import_spdx = require_spdx();

var fixupSpdxId = import_spdx.fixupSpdxId;
export { fixupSpdxId };