{
  description = "The smallest image with a real program: GNU hello";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-25.11";

  outputs =
    { nixpkgs, ... }:
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
        in
        {
          image = pkgs.dockerTools.streamLayeredImage {
            name = "hello";
            config.Entrypoint = [ "${pkgs.hello}/bin/hello" ];
          };
        }
      );
    };
}
