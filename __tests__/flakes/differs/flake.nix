{
  description = "Derivations that come out different on purpose, each in a way of its own, and images that need them";

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

          # Its layer holds busybox alone, and its build has seen the parts.
          archive = name: parts:
            run "docker-image-${name}.tar.gz" ./image.sh {
              inherit content architecture parts; compressor = "gzip"; archive = ./archive.sh;
            } // { imageName = name; imageTag = "latest"; };

          kinds = builtins.listToAttrs (map
            (kind: { name = kind; value = run "part-${kind}" ./kinds.sh { inherit kind; }; })
            [ "time" "gzip-time" "order" "path" "build-id" "random" "steady" ]);

          fetched = run "fetched" ./fetched.sh {
            outputHashMode = "flat";
            outputHash = builtins.hashString "sha256" "what the hash says\n";
            outputHashAlgo = "sha256";
          };
        in
        kinds // {
          good = archive "good" [ kinds.steady fetched ];
          bad = archive "bad" (builtins.attrValues kinds);

          # What differs is in the archive itself, in a layer of it.
          own = run "docker-image-own.tar.gz" ./own.sh {
            inherit architecture; image = ./image.sh; compressor = "gzip"; archive = ./archive.sh;
          } // { imageName = "own"; imageTag = "latest"; };

          # A script that writes the image from what it refers to.
          stream = run "stream-random" ./stream.sh { content = kinds.random; inherit architecture; archive = ./archive.sh; }
            // { isExe = true; imageName = "stream"; imageTag = "latest"; };

          # These look at a folder of the machine's, so that the second build knows that it is one.
          fails-again = archive "fails-again" [ (run "part-fails" ./second.sh { second = "exit 3"; }) ];
          fills-again = archive "fills-again" [ (run "part-fills" ./second.sh { second = "$bin/busybox dd if=/dev/zero of=$out bs=1M count=1000"; }) ];
          waits-again = archive "waits-again" [ (run "part-waits" ./second.sh { second = "$bin/busybox sleep 100000"; }) ];
        };
      # The program is that of the machine that makes the flake: the others run it where their kernel does.
      systems = [ "x86_64-linux" "aarch64-linux" "i686-linux" ];
    in
    {
      packages = builtins.listToAttrs (map (name: { inherit name; value = packagesFor name; }) systems);
    };
}
