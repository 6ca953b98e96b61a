import { require_enums } from "./packages/cyclonedx-cyclonedx-library.js";

// \0import:@cyclonedx/cyclonedx-library/Enums
var import_enums = require_enums();

var ComponentType = import_enums.ComponentType;
var ExternalReferenceType = import_enums.ExternalReferenceType;
var HashAlgorithm = import_enums.HashAlgorithm;
var LifecyclePhase = import_enums.LifecyclePhase;
export { ComponentType, ExternalReferenceType, HashAlgorithm, LifecyclePhase };