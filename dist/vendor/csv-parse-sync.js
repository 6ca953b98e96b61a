import { parse } from "./packages/csv-parse.js";

export { parse };