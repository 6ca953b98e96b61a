import { require_dist } from "./packages/sigstore-bundle.js";

// \0import:@sigstore/bundle
var import_dist = require_dist();

var bundleToJSON = import_dist.bundleToJSON;
export { bundleToJSON };