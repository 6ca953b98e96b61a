{
  description = "A development container whose content is a NixOS configuration";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-25.11";
    nix2container = {
      url = "github:nlewo/nix2container";
      inputs.nixpkgs.follows = "nixpkgs";
    };
  };

  outputs =
    { nixpkgs, nix2container, ... }:
    let
      system = "x86_64-linux";
      pkgs = nixpkgs.legacyPackages.${system};
      inherit (pkgs) dockerTools;
      inherit (nix2container.packages.${system}.nix2container) buildImage buildLayer;

      nixos = nixpkgs.lib.nixosSystem {
        inherit system;
        modules = [ ./configuration.nix ];
      };
      inherit (nixos.config.system) build path;

      root = pkgs.runCommand "root" { } ''
        mkdir -p $out/usr/bin
        ln -s ${path}/bin $out/bin
        ln -s ${pkgs.coreutils}/bin/env $out/usr/bin/env
        cp --recursive --no-dereference ${build.etc}/etc $out/etc
        chmod u+w $out/etc
        echo 'dev:x:1000:100::/home/dev:/bin/bash' >$out/etc/passwd
        echo 'users:x:100:' >$out/etc/group
      '';
      config = {
        Cmd = [
          "/bin/sleep"
          "infinity"
        ];
        Env = [
          "HOME=/home/dev"
          "PATH=/bin"
        ];
        User = "1000:100";
        WorkingDir = "/home/dev";
      };

      layered =
        more:
        dockerTools.streamLayeredImage (
          {
            name = "devcontainer";
            contents = [ root ];
            fakeRootCommands = ''
              mkdir -m 1777 tmp
              mkdir -p home/dev
              chown 1000:100 home/dev
            '';
            inherit config;
          }
          // more
        );
    in
    {
      packages.${system} = {
        layeredImage = layered { };

        # On top of another image. One from a registry would be `dockerTools.pullImage { … }`.
        onBase = layered {
          fromImage = dockerTools.buildImage {
            name = "base";
            copyToRoot = [ dockerTools.caCertificates ];
            config.Env = [ "SSL_CERT_FILE=/etc/ssl/certs/ca-bundle.crt" ];
          };
        };

        # The same by nix2container, with what changes seldom in a layer of its own.
        nix2container =
          let
            places = pkgs.runCommand "places" { } "mkdir -p $out/home/dev $out/tmp";
          in
          buildImage {
            name = "devcontainer";
            layers = [ (buildLayer { deps = [ path ]; }) ];
            copyToRoot = [
              root
              places
            ];
            perms = [
              {
                path = places;
                regex = "/home/dev$";
                mode = "0755";
                uid = 1000;
                gid = 100;
              }
              {
                path = places;
                regex = "/tmp$";
                mode = "1777";
              }
            ];
            inherit config;
          };
      };
    };
}
