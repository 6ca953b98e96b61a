{
  description = "A desktop that is seen over VNC: with a terminal, with Wine, or with nothing but Chromium";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-25.11";

  outputs =
    { nixpkgs, ... }:
    let
      inherit (nixpkgs) lib;
      imagesFor =
        system:
        let
          pkgs = nixpkgs.legacyPackages.${system};
          desktop = import ./desktop.nix { inherit pkgs; };
        in
        {
          image = desktop {
            name = "desktop";
            programs = [ pkgs.xterm ];
            start = "xterm";
          };
          chromium = desktop {
            name = "chromium";
            programs = [ pkgs.chromium ];
            # Chromium's own sandbox wants rights that a container does not give.
            start = "chromium --no-sandbox --kiosk about:blank";
          };
        }
        # Wine is for x86_64 only.
        // lib.optionalAttrs (system == "x86_64-linux") {
          image-x86_64 = desktop {
            name = "desktop-wine";
            programs = [
              pkgs.xterm
              pkgs.wineWowPackages.stable
            ];
            start = "xterm";
          };
        };
    in
    {
      packages = lib.genAttrs [
        "x86_64-linux"
        "aarch64-linux"
      ] imagesFor;
    };
}
