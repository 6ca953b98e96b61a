import { pMap } from "./packages/p-map.js";

export { pMap as default };