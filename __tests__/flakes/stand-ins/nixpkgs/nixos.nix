# In the place of NixOS's modules: of what they may set, packages and files of /etc.
{ pkgs, lib, modules }:
let
  evaluated = map (module: import module { inherit pkgs lib; }) modules;
  files = builtins.foldl' (all: module: all // (module.environment.etc or { })) { } evaluated;
  packages = [ pkgs.bash pkgs.coreutils ]
    ++ builtins.concatMap (module: module.environment.systemPackages or [ ]) evaluated;
in
{
  config.system = {
    path = pkgs.runCommand "system-path" { } ''
      mkdir -p $out/bin
      for package in ${toString packages}; do ln -sf $package/bin/* $out/bin/; done
    '';
    build.etc = pkgs.runCommand "etc" { } ''
      mkdir -p $out/etc
      ${toString (builtins.attrValues (builtins.mapAttrs
        (name: file: "ln -s ${pkgs.writeText (baseNameOf name) file.text} $out/etc/${name};")
        files))}
    '';
  };
}
