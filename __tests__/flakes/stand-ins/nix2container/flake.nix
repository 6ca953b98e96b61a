{
  description = "In nix2container's place: the JSON that it makes, with each layer as an archive of its own";

  outputs = { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      imagesFor = pkgs:
        let
          inherit (pkgs.dockerTools) architecture closureOf layer tar;

          buildLayer = { deps }: pkgs.run "layer" (closureOf (pkgs.writeText "deps" (toString deps)) // { inherit tar; }) ''
            sh $closure | grep -v -e '-deps$' >paths
            mkdir $out
            bash $tar --paths paths >$out/layer.tar
            sha256sum <$out/layer.tar | cut -d ' ' -f 1 >$out/checksum
          '';

          buildImage = { name, layers, copyToRoot, perms, config }:
            let
              permit = { regex, mode, uid ? 0, gid ? 0, ... }: ''
                find . -mindepth 1 | sed 's,^\./,,' | while read -r file; do
                  if echo "/$file" | grep -qE '${regex}'; then chmod ${mode} "$file"; chown ${toString uid}:${toString gid} "$file"; fi
                done
              '';
              top = layer "${name}-layer" {
                contents = copyToRoot;
                copies = true;
                fakeRootCommands = lib.concatMapStrings permit perms;
              };
            in
            pkgs.run "image-${name}.json" {
              layers = layers ++ [ top ];
              config = builtins.toJSON config;
            } ''
              for layer in $layers; do
                digest=sha256:$(cat $layer/checksum)
                size=$(stat -c %s $layer/layer.tar)
                echo "{\"digest\":\"$digest\",\"diff_ids\":\"$digest\",\"size\":$size,\"layer-path\":\"$layer/layer.tar\","
                echo '"mediatype":"application/vnd.oci.image.layer.v1.tar","History":{"created_by":"nix2container"}}'
              done | paste -sd ' ,' >described
              echo "{\"version\":1,\"image-config\":$config,\"layers\":[$(cat described)],\"arch\":\"${architecture}\"}" >$out
            '';
        in
        { inherit buildImage buildLayer; };
    in
    {
      packages = builtins.mapAttrs (_: pkgs: { nix2container = imagesFor pkgs; }) nixpkgs.legacyPackages;
    };
}
