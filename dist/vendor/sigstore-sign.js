import { require_dist } from "./packages/sigstore-sign.js";

// \0import:@sigstore/sign
var import_dist = require_dist();

var DSSEBundleBuilder = import_dist.DSSEBundleBuilder;
var FulcioSigner = import_dist.FulcioSigner;
var MessageSignatureBundleBuilder = import_dist.MessageSignatureBundleBuilder;
var RekorWitness = import_dist.RekorWitness;
var TSAWitness = import_dist.TSAWitness;
export { DSSEBundleBuilder, FulcioSigner, MessageSignatureBundleBuilder, RekorWitness, TSAWitness };