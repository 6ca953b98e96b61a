{
  description = "A small HTTP server in Rust, and its image";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-25.11";
    crane.url = "github:ipetkov/crane";
  };

  outputs =
    { nixpkgs, crane, ... }:
    let
      forEach = nixpkgs.lib.genAttrs [
        "x86_64-linux"
        "aarch64-linux"
      ];
    in
    {
      packages = forEach (
        system:
        let
          pkgs = nixpkgs.legacyPackages.${system};
          craneLib = crane.mkLib pkgs;
          common = {
            src = craneLib.cleanCargoSource ./.;
            strictDeps = true;
          };
          # All that Cargo.lock names, apart from the server: a commit that leaves it as it is compiles none of it again.
          dependencies = craneLib.buildDepsOnly common;
        in
        rec {
          default = server;
          server = craneLib.buildPackage (common // { cargoArtifacts = dependencies; });

          docker = pkgs.dockerTools.streamLayeredImage {
            name = "rust-server";
            config = {
              Entrypoint = [ "${server}/bin/rust-server" ];
              Env = [ "PORT=8080" ];
              ExposedPorts."8080/tcp" = { };
              User = "1000:1000";
            };
          };
        }
      );
    };
}
