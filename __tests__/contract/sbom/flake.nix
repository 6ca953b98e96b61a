{
  description = "What of an image's packages can be found, and what stands in the way of finding it";

  inputs.nixpkgs.url = "path:./nixpkgs";

  outputs = { self, nixpkgs }: {
    packages = builtins.mapAttrs
      (system: pkgs: {
        app = derivation {
          name = "app-1.0";
          inherit system;
          builder = "/bin/sh";
          libraries = [ pkgs.openssl pkgs.openssl.bin ];
          inherit (pkgs.python312Packages) requests;
        } // { meta.description = "  Ours\n"; };
        unwanted = throw "nobody asked for this one";
      })
      nixpkgs.legacyPackages;
    # What evaluation would have to build, under a name that packages of the image have.
    legacyPackages = builtins.mapAttrs
      (system: pkgs: { built = import (derivation { name = "built-1"; inherit system; builder = "/bin/sh"; }); })
      nixpkgs.legacyPackages;
    # What else is in the image.
    others = builtins.mapAttrs
      (system: pkgs: {
        inherit (pkgs) openssl strange;
        inherit (pkgs.hidden) zlib;
        inherit (pkgs.python312Packages) requests;
        glibc = derivation { name = "glibc-2.40"; inherit system; builder = "/bin/sh"; };
        broken = derivation { name = "broken-1"; inherit system; builder = "/bin/sh"; };
      })
      nixpkgs.legacyPackages;
  };
}
