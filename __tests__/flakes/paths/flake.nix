{
  description = "An image with one layer of many small store paths";

  outputs = { self }:
    let
      many = builtins.fromJSON (builtins.readFile ./many.json);
      # Written by evaluation itself: no build for each.
      paths = builtins.genList (n: builtins.toFile "file-${toString n}" "This is file ${toString n}.\n") many;
      imageFor = system: derivation {
        name = "docker-image-paths.tar";
        inherit system;
        architecture = { x86_64-linux = "amd64"; aarch64-linux = "arm64"; }.${system};
        bin = builtins.path { name = "bin"; path = ./bin; };
        list = builtins.toFile "list" (builtins.concatStringsSep "" (map (path: "${path}\n") paths));
        builder = "${builtins.path { name = "bin"; path = ./bin; }}/busybox";
        args = [ "sh" "-eu" ./image.sh ];
      };
    in
    {
      packages = builtins.listToAttrs (map (name: { inherit name; value.image = imageFor name; }) [
        "x86_64-linux"
        "aarch64-linux"
      ]);
    };
}
