import { _enum, array, boolean, custom, discriminatedUnion, int, iso_exports, literal, looseObject, number, object, preprocess, record, string, templateLiteral, union, unknown } from "./packages/zod.js";

export { array, boolean, custom, discriminatedUnion, _enum as enum, int, iso_exports as iso, literal, looseObject, number, object, preprocess, record, string, templateLiteral, union, unknown };