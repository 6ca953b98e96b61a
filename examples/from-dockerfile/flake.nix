{
  description = "A site, and the web server that serves it";

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
        rec {
          site = pkgs.runCommand "site" { nativeBuildInputs = [ pkgs.cmark ]; } ''
            mkdir $out
            cmark ${./site/index.md} >$out/index.html
          '';

          # In place of the Dockerfile: FROM is pkgs.nginx, COPY are the store paths that the config names, USER is a number.
          image = pkgs.dockerTools.streamLayeredImage {
            name = "site";
            contents = [ pkgs.dockerTools.fakeNss ];
            extraCommands = "mkdir -m 1777 tmp";
            config = {
              Entrypoint = [
                "${pkgs.nginx}/bin/nginx"
                "-e"
                "stderr"
                "-c"
                (pkgs.writeText "nginx.conf" ''
                  daemon off;
                  pid /tmp/nginx.pid;
                  events { }
                  http {
                    access_log /dev/stdout;
                    client_body_temp_path /tmp/body;
                    proxy_temp_path /tmp/proxy;
                    fastcgi_temp_path /tmp/fastcgi;
                    uwsgi_temp_path /tmp/uwsgi;
                    scgi_temp_path /tmp/scgi;
                    types { text/html html; }
                    server {
                      listen 8080;
                      root ${site};
                    }
                  }
                '')
              ];
              ExposedPorts."8080/tcp" = { };
              User = "1000:1000";
            };
          };
        }
      );
    };
}
