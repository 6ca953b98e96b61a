import { init_p_map, pMap } from "./packages/p-map.js";

// \0import:p-map
init_p_map();

export { pMap as default };