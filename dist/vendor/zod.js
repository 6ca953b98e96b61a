import { _enum, array, boolean, custom, discriminatedUnion, iso_exports, literal, number, object, record, string, templateLiteral, union, unknown } from "./packages/zod.js";

export { array, boolean, custom, discriminatedUnion, _enum as enum, iso_exports as iso, literal, number, object, record, string, templateLiteral, union, unknown };