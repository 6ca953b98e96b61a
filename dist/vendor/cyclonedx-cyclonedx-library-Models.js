import { require_models } from "./packages/cyclonedx-cyclonedx-library.js";

// \0import:@cyclonedx/cyclonedx-library/Models
var import_models = require_models();

var Bom = import_models.Bom;
var Component = import_models.Component;
var ExternalReference = import_models.ExternalReference;
var HashDictionary = import_models.HashDictionary;
var NamedLicense = import_models.NamedLicense;
var Property = import_models.Property;
var SpdxLicense = import_models.SpdxLicense;
export { Bom, Component, ExternalReference, HashDictionary, NamedLicense, Property, SpdxLicense };