{
  description = "Packages that say something of themselves, as those of nixpkgs do";

  outputs = { self }: {
    legacyPackages = builtins.listToAttrs (map
      (system: {
        name = system;
        value = let
          package = name: attributes: meta:
            derivation ({ inherit name system; builder = "/bin/sh"; } // attributes) // { inherit meta; };
        in rec {
          openssl = package "openssl-3.0.14" { outputs = [ "bin" "out" ]; } {
            description = "TLS";
            homepage = [ "https://www.openssl.org/" "https://example.org/" ];
            license = { spdxId = "Apache-2.0"; fullName = "Apache License 2.0"; shortName = "asl20"; };
            identifiers = { cpe = "cpe:2.3:a:openssl:openssl:3.0.14:*:*:*:*:*:*:*"; };
            mainProgram = "openssl";
          };
          # Under a name that leads nowhere: only what takes it in leads to it.
          hidden = {
            zlib = package "zlib-1.3.1" { } {
              license = [ { spdxId = "Zlib"; fullName = "zlib License"; } { fullName = "House rules"; } "a word" ];
              identifiers.v1.purl = "pkg:github/madler/zlib@v1.3.1";
            };
          };
          python312Packages.requests = package "python3.12-requests-2.32.3" { buildInputs = [ null hidden.zlib "text" [ ] ]; } {
            license = { fullName = "Free as in speech"; };
          };
          # The same name and version, and other bytes.
          glibc = package "glibc-2.40" { patched = true; } { description = "Not the one"; };
          broken = throw "marked as broken";
          strange = package "strange-1" { } { description = throw "no"; };
        };
      })
      [ "x86_64-linux" "aarch64-linux" ]);
  };
}
