import { _enum, array, boolean, custom, discriminatedUnion, literal, number, object, record, string, templateLiteral, union, unknown } from "./packages/zod.js";

export { array, boolean, custom, discriminatedUnion, _enum as enum, literal, number, object, record, string, templateLiteral, union, unknown };