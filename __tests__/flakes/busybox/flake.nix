{
  description = "The smallest image: busybox, packed by busybox";

  outputs = { self }:
    let
      packagesFor = system:
        let
          # A folder, so that the program's name in the store is still busybox.
          bin = builtins.path { name = "bin"; path = ./bin; };

          run = name: script: attributes: derivation ({
            inherit name system bin;
            builder = "${bin}/busybox";
            args = [ "sh" "-eu" script ];
          } // attributes);

          architecture = { x86_64-linux = "amd64"; aarch64-linux = "arm64"; i686-linux = "386"; }.${system};

          content = run "busybox" ./package.sh { };

          archive = name: compressor:
            run "docker-image-${name}" ./image.sh { inherit content architecture compressor; archive = ./archive.sh; }
            // { imageName = "busybox"; imageTag = "latest"; };
        in
        rec {
          default = image;
          busybox = content;

          image = archive "busybox.tar" "cat";
          image-gz = archive "busybox.tar.gz" "gzip";
          image-stream =
            run "stream-busybox" ./stream.sh { inherit content architecture; archive = ./archive.sh; }
            // { isExe = true; imageName = "busybox"; imageTag = "latest"; };

          # Built upon an image that is fetched from a registry, by all that its derivation says.
          image-upon =
            let
              imageDigest = "sha256:c0ffee0000000000000000000000000000000000000000000000000000c0ffee";
              base = run "docker-image-base-latest.tar" ./base.sh {
                inherit imageDigest;
                sourceURL = "docker://registry.example/org/base@${imageDigest}";
                outputHashMode = "flat";
                outputHash = "sha256-eolXQi5XVm9lKgmVaFKdtvfMP5NZaz7FThbBbqPYdko=";
              };
            in
            run "docker-image-upon.tar" ./image.sh {
              inherit content architecture;
              fromImage = base; compressor = "cat"; archive = ./archive.sh;
            };

          # Says that it is for another platform than it is built for.
          image-astray = run "docker-image-astray" ./image.sh {
            inherit content; architecture = "riscv64"; compressor = "cat"; archive = ./archive.sh;
          };

          # Builds, and does not start.
          image-absent = run "docker-image-absent" ./image.sh {
            inherit content architecture; command = ''"/usr/bin/hello"''; compressor = "cat"; archive = ./archive.sh;
          };

          fails = run "fails" ./fails.sh { inherit content; };

          waits = run "waits" ./waits.sh { inherit content; };

          hash-mismatch = run "hash-mismatch" ./fixed.sh {
            outputHashMode = "flat";
            outputHash = "sha256-LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
          };
        };
      # The program is that of the machine that makes the flake: the others run it where their kernel does.
      systems = [ "x86_64-linux" "aarch64-linux" "i686-linux" ];
    in
    {
      packages = builtins.listToAttrs (map (name: { inherit name; value = packagesFor name; }) systems);
    };
}
