import { require_index_node } from "./packages/cyclonedx-cyclonedx-library.js";

// \0import:@cyclonedx/cyclonedx-library/Serialize
var import_index_node = require_index_node();

var JSON = import_index_node.JSON;
var JsonSerializer = import_index_node.JsonSerializer;
export { JSON, JsonSerializer };