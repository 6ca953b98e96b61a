import { require_spec } from "./packages/cyclonedx-cyclonedx-library.js";

// \0import:@cyclonedx/cyclonedx-library/Spec
var import_spec = require_spec();

var Spec1dot6 = import_spec.Spec1dot6;
export { Spec1dot6 };