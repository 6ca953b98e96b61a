{
  description = "A real program from packages: redis, with what it needs, and an app on top, in each kind of image";

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

          architecture = { x86_64-linux = "amd64"; aarch64-linux = "arm64"; }.${system};

          unpacked = group: run "unpacked-${group}" ./build/unpack.sh {
            debs = builtins.path { name = "debs-${group}"; path = ./debs + "/${group}"; };
          };
          package = group: run group ./build/package.sh {
            inherit libs;
            unpacked = unpacked group;
            patchelf = unpacked "patchelf";
          };

          libs = run "libs" ./build/libs.sh { unpacked = unpacked "libs"; };
          python = package "python3";
          zstd = package "zstd";
          redis = package "redis";
          busybox = run "busybox" ./build/busybox.sh { };
          app = run "app" ./build/app.sh {
            inherit busybox;
            src = builtins.path { name = "src"; path = ./src; };
          };

          # -B: else root, whom no mode stops, would write bytecode into the store.
          py = script: "${python}/bin/python3 -I -S -B ${script}";

          customisation = run "redis-customisation-layer" ./build/python.sh {
            command = py ./image/customisation.py;
          };

          conf = run "redis-conf.json" ./build/python.sh {
            command = py ./image/conf.py;
            exportReferencesGraph = [ "graph-redis" redis "graph-app" app "graph-busybox" busybox ];
            settings = builtins.toJSON {
              inherit architecture;
              os = "linux";
              store_dir = builtins.storeDir;
              from_image = null;
              customisation_layer = customisation;
              repo_tag = "redis:sample";
              created = "1970-01-01T00:00:01+00:00";
              mtime = "1970-01-01T00:00:01+00:00";
              uid = "0";
              gid = "0";
              uname = "root";
              gname = "root";
              config = {
                Entrypoint = [ "${app}/bin/app" ];
                Cmd = [ "redis-server" "${app}/etc/redis.conf" "--port" "6379" ];
                Env = [ "PATH=${redis}/bin:${busybox}/bin" ];
                ExposedPorts."6379/tcp" = { };
                User = "999:999";
                WorkingDir = "/data";
              };
            };
          };

          tag = { imageName = "redis"; imageTag = "sample"; };
          stream = run "stream-redis" ./build/stream.sh { inherit conf; command = py ./image/stream.py; };
          archive = ending: compressor:
            run "docker-image-redis.${ending}" ./build/archive.sh { inherit compressor stream; } // tag;
        in
        {
          inherit app busybox libs redis;
          default = stream;
          image = stream // tag // { inherit conf; isExe = true; streamScript = ./image/stream.py; };
          archive = archive "tar" "${bin}/busybox cat";
          archive-gz = archive "tar.gz" "${bin}/busybox gzip";
          archive-zst = archive "tar.zst" "${zstd}/bin/zstd --quiet --stdout";
        };
      systems = [ "x86_64-linux" "aarch64-linux" ];
    in
    {
      packages = builtins.listToAttrs (map (name: { inherit name; value = packagesFor name; }) systems);
    };
}
