{
  description = "A toolbox: the smallest image with a shell";

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
            name = "toolbox";
            contents = [ pkgs.busybox ];
            extraCommands = "mkdir -m 1777 tmp";
            config = {
              Cmd = [ "/bin/sh" ];
              Env = [ "PATH=/bin" ];
            };
          };
        }
      );
    };
}
