{
  description = "A flake of which one package takes a build to be evaluated";

  outputs = { self }: {
    packages = builtins.mapAttrs
      (system: _: {
        app = derivation { name = "app-1.0"; inherit system; builder = "/bin/sh"; } // { meta.description = "Ours"; };
        unrelated = import (derivation { name = "unrelated-1"; inherit system; builder = "/bin/sh"; });
      })
      { x86_64-linux = null; aarch64-linux = null; };
  };
}
