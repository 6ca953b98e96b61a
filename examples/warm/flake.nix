{
  description = "A script with its checks and its development shell";

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
      checks = forEach (
        system:
        let
          pkgs = nixpkgs.legacyPackages.${system};
        in
        {
          lint = pkgs.runCommand "lint" { nativeBuildInputs = [ pkgs.shellcheck ]; } ''
            shellcheck ${./greet.sh}
            touch $out
          '';
          works = pkgs.runCommand "works" { } ''
            test "$(bash ${./greet.sh} you)" = 'Hello, you!'
            touch $out
          '';
        }
      );

      devShells = forEach (
        system:
        let
          pkgs = nixpkgs.legacyPackages.${system};
        in
        {
          default = pkgs.mkShell { packages = [ pkgs.shellcheck ]; };
        }
      );
    };
}
