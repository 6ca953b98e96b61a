# Images in the forms that nixpkgs' dockerTools give them.
{ run, writeTextDir, system }:
let
  architecture = { x86_64-linux = "amd64"; aarch64-linux = "arm64"; }.${system};
  tar = ./tar.sh;

  # A folder with layer.tar and its checksum.
  layer = name: { contents, copies ? false, extraCommands ? "", fakeRootCommands ? "" }:
    run name { inherit contents copies extraCommands fakeRootCommands tar; } ". ${./layer.sh}";

  # For a build that wants to know which store paths something needs, itself among them: `closure` prints them.
  closureOf = root: { exportReferencesGraph = [ "graph" root ]; closure = ./closure.sh; };
in
{
  inherit architecture tar layer closureOf;

  fakeNss = run "fake-nss" { } ''
    mkdir -p $out/etc $out/var/empty
    echo 'root:x:0:0:root user:/var/empty:/bin/sh' >$out/etc/passwd
    echo 'nobody:x:65534:65534:nobody:/var/empty:/bin/sh' >>$out/etc/passwd
    printf 'root:x:0:\nnobody:x:65534:\n' >$out/etc/group
    echo 'hosts: files dns' >$out/etc/nsswitch.conf
  '';
  caCertificates = writeTextDir "etc/ssl/certs/ca-bundle.crt" "# Certificates would be here.\n";

  streamLayeredImage =
    { name, contents ? [ ], config ? { }, fromImage ? null, extraCommands ? "", fakeRootCommands ? "" }:
    let
      settings = {
        inherit architecture config;
        os = "linux";
        store_dir = builtins.storeDir;
        from_image = fromImage;
        customisation_layer = layer "${name}-customisation-layer" { inherit contents extraCommands fakeRootCommands; };
        repo_tag = "${name}:latest";
        created = "1970-01-01T00:00:01+00:00";
        mtime = "1970-01-01T00:00:01+00:00";
        uid = "0";
        gid = "0";
        uname = "root";
        gname = "root";
      };
      # All that the image is to hold, and nothing that makes it.
      inside = run "${name}-inside" { text = builtins.toJSON config; inherit contents; } ''echo "$text $contents" >$out'';
      conf = run "${name}-conf.json" (closureOf inside // { settings = builtins.toJSON settings; inherit inside; }) ''
        layers=$(sh $closure | grep -vxF "$inside" | sed 's/.*/["&"]/' | paste -sd ,)
        echo "{\"store_layers\":[$layers],''${settings#?}" >$out
      '';
    in
    # The action makes the image from `conf`, as it does of nixpkgs': nobody runs this script.
    run "stream-${name}" { inherit conf; } "echo $conf >$out"
    // { inherit conf; isExe = true; imageName = name; imageTag = "latest"; };

  buildImage = { name, copyToRoot, config ? { } }:
    run "docker-image-${name}.tar.gz" {
      layer = layer "${name}-layer" { contents = copyToRoot; copies = true; };
      config = builtins.toJSON { inherit architecture config; os = "linux"; };
      imageName = name;
      inherit tar;
    } ". ${./archive.sh}";
}
