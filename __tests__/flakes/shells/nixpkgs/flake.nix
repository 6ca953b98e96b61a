{
  description = "What nix develop looks for in an input called nixpkgs";

  outputs = { self }:
    let
      bin = builtins.path { name = "bin"; path = ./bin; };
      interactive = system: derivation {
        name = "bash-interactive";
        inherit system;
        inherit bin;
        builder = "${bin}/busybox";
        args = [ "sh" "-euc" "$bin/busybox mkdir -p $out/bin; $bin/busybox cp $bin/bash $out/bin/bash" ];
      };
    in
    {
      legacyPackages = builtins.listToAttrs (map
        (name: { inherit name; value.bashInteractive = interactive name; })
        [ "x86_64-linux" "aarch64-linux" ]);
    };
}
