import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from '../vendor/zod.js'
import { runNix } from '../nix/cli.js'

import { attributesOf } from './lookup.js'

import { storeName } from './names.js'

/**
 * Tells what packages say of themselves. Nix keeps no `meta` with a store path, so it is looked for where the flake has
 * its packages: in its own outputs, in each input that is a nixpkgs under the names that packages have there, and in
 * what these take in. Only what has a store path of the image counts, and only that is followed further.
 */
const expression = `request: let
  inherit (builtins) attrNames attrValues concatMap filter getFlake hasAttr isAttrs isList isString listToAttrs match tryEval;
  inherit (request) system;
  flake = getFlake request.flake;
  setOf = names: listToAttrs (map (name: { inherit name; value = null; }) names);
  wanted = setOf request.paths;
  names = setOf request.names;

  safely = default: value: let result = tryEval value; in if result.success then result.value else default;
  isDerivation = value: isAttrs value && (value.type or null) == "derivation";
  plain = builtins.unsafeDiscardStringContext;
  pathsOf = package: map (name: plain package.\${name}.outPath) (package.outputs or [ "out" ]);
  # Before it is found out what it takes to build it.
  isNamed = package: safely false (isDerivation package && hasAttr (package.name or "") names);
  isWanted = package: safely false (isDerivation package && builtins.any (path: hasAttr path wanted) (pathsOf package));
  item = package: { key = plain package.drvPath; inherit package; };

  ofSystem = outputs: name: safely { } (let set = outputs.\${name}.\${system} or { }; in if isAttrs set then set else { });
  get = path: set: builtins.foldl' (at: name: if isAttrs at then at.\${name} or null else null) set path;
  nixpkgs = map (name: ofSystem flake.inputs.\${name} "legacyPackages")
    (filter (name: match ".*nixpkgs.*" name != null) (attrNames (flake.inputs or { })));
  own = map (ofSystem flake) [ "packages" "legacyPackages" ];
  found = (if request.everyPackage then attrValues (builtins.head own) else [ ])
    ++ concatMap (set: map (path: safely null (get path set)) request.attributes) (own ++ nixpkgs);

  takesIn = { package, ... }: concatMap (value: if isList value then value else [ value ]) (attrValues (package.drvAttrs or { }));
  all = builtins.genericClosure {
    startSet = map item (filter isWanted (filter isNamed found));
    operator = one: map item (filter isWanted (takesIn one));
  };

  text = value: if isString value then plain value else null;
  first = value: if isList value then (if value == [ ] then null else builtins.head value) else value;
  license = one: if isAttrs one
    then { spdxId = text (one.spdxId or null); name = text (one.fullName or one.shortName or null); }
    else { spdxId = null; name = text one; };
  licenses = value: map license (if isList value then value else if value == null then [ ] else [ value ]);
  describe = { package, ... }: let
    meta = package.meta or { };
    identifiers = meta.identifiers or { };
    row = {
      paths = pathsOf package;
      description = text (meta.description or null);
      homepage = text (first (meta.homepage or null));
      licenses = licenses (meta.license or null);
      cpe = text (identifiers.cpe or identifiers.v1.cpe or null);
      purl = text (identifiers.purl or identifiers.v1.purl or null);
      isProgram = meta ? mainProgram;
    };
  in safely null (builtins.deepSeq row row);
in filter (row: row != null) (map describe all)`

const text = z
  .string()
  .nullish()
  .transform(value => value?.trim() || undefined)

const rowsSchema = z.array(
  z.object({
    paths: z.array(z.string()),
    description: text,
    homepage: text,
    licenses: z.array(z.object({ spdxId: text, name: text })),
    cpe: text,
    purl: text,
    isProgram: z.boolean(),
  }),
)

/**
 * Asks a flake for what the packages in some store paths say of themselves, in one evaluation that builds nothing.
 * @param options.flake its locked URL
 * @param options.system that the image was evaluated for
 * @param options.scratch an existing directory
 * @returns by store path, those that were found
 * @throws Error when Nix cannot evaluate it
 */
export async function packageMeta(nix, options) {
  const { flake, system, paths } = options
  const named = paths.map(({ path, deriver }) => storeName(path, deriver))
  const attributes = [...new Set(named.map(({ name }) => name))].flatMap(attributesOf)
  const request = {
    ...{ flake, system },
    paths: paths.map(({ path }) => path),
    names: [...new Set(named.map(({ name, version }) => (version === '' ? name : `${name}-${version}`)))],
    attributes: [...new Map(attributes.map(path => [path.join(' '), path])).values()],
  }
  // In files, since there is more of it than an argument may hold.
  const folder = await mkdtemp(join(options.scratch, 'meta-'))
  try {
    await writeFile(
      join(folder, 'default.nix'),
      `(${expression}) (builtins.fromJSON (builtins.readFile ./request.json))`,
    )
    const evaluate = async everyPackage => {
      await writeFile(join(folder, 'request.json'), JSON.stringify({ ...request, everyPackage }))
      return await runNix(nix, 'nix', [
        ...['--extra-experimental-features', 'nix-command flakes'],
        // What evaluation would have to build for it, and where it would write, is nothing that an SBOM is worth.
        ...['eval', '--json', '--read-only', '--option', 'allow-import-from-derivation', 'false'],
        ...['--file', folder],
      ])
    }
    const whole = await evaluate(true)
    // One package that cannot be evaluated is the end of all, also where nobody asked for it.
    const { code, stdout, stderr } = whole.code === 0 || nix.signal?.aborted ? whole : await evaluate(false)
    if (code !== 0) throw new Error(stderr.trim().split('\n').slice(-3).join('\n'))
    return parseRows(stdout)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function parseRows(json) {
  const result = new Map()
  for (const { paths, licenses, ...row } of rowsSchema.parse(JSON.parse(json)))
    for (const path of paths)
      result.set(path, {
        ...row,
        licenses: licenses.flatMap(({ spdxId, name = spdxId }) =>
          name === undefined ? [] : [{ spdxId, name }],
        ),
      })
  return result
}
