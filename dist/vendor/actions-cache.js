import { restoreCache, saveCache } from "./packages/actions-cache.js";

export { restoreCache, saveCache };