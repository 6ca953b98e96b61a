rec {
  genAttrs = names: f: builtins.listToAttrs (map (name: { inherit name; value = f name; }) names);
  optionalAttrs = condition: attrs: if condition then attrs else { };
  makeBinPath = packages: builtins.concatStringsSep ":" (map (package: "${package}/bin") packages);
  concatMapStrings = f: list: builtins.concatStringsSep "" (map f list);
}
