{
  description = "In crane's place: what it gives has the server's name and its port, and is a script";

  outputs = { self }: {
    mkLib = pkgs:
      let
        cargo = src: (builtins.fromTOML (builtins.readFile "${src}/Cargo.toml")).package;
        sources = path: type: type == "directory" || builtins.match ".*(\\.rs|/Cargo\\.(toml|lock))" path != null;
      in
      {
        cleanCargoSource = path: builtins.path { name = "source"; inherit path; filter = sources; };

        buildDepsOnly = { src, ... }: pkgs.runCommand "${(cargo src).name}-deps-${(cargo src).version}" { } ''
          cp ${src}/Cargo.lock $out
        '';

        buildPackage = { src, cargoArtifacts, ... }:
          let
            inherit (cargo src) name version;
          in
          pkgs.runCommand "${name}-${version}" { inherit cargoArtifacts; } ''
            grep -q 'println!("listening on' ${src}/src/main.rs
            mkdir -p $out/bin
            cp ${pkgs.writeShellScript name ''
              echo "listening on 0.0.0.0:$PORT"
              exec ${pkgs.busybox}/bin/httpd -f -p "$PORT" -h /
            ''} $out/bin/${name}
          '';
      };
  };
}
