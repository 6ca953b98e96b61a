# What is in the container, as NixOS options. Nothing of it is booted: no service runs.
{ pkgs, ... }:
{
  boot.isContainer = true;
  documentation.enable = false;
  system.stateVersion = "25.11";

  environment.systemPackages = [
    pkgs.git
    pkgs.nixd
  ];
  environment.etc."gitconfig".text = ''
    [init]
      defaultBranch = main
  '';
}
