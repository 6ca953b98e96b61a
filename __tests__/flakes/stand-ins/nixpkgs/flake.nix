{
  description = "In nixpkgs' place: what the examples and the README use of it, and no more; busybox, bash and nginx are Debian's, other programs are scripts";

  outputs = { self }:
    let
      lib = import ./lib.nix;
      systems = [ "x86_64-linux" "aarch64-linux" ];
      legacyPackages = lib.genAttrs systems (system: import ./packages.nix { inherit lib system; });
    in
    {
      lib = lib // {
        nixosSystem = { system, modules }: import ./nixos.nix { pkgs = legacyPackages.${system}; inherit lib modules; };
      };
      inherit legacyPackages;
    };
}
