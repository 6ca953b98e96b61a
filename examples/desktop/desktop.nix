{ pkgs }:
# An image of a display, a window manager and some programs, the first of which is started. It ends when that one ends.
{
  name,
  programs,
  start,
}:
let
  session = pkgs.writeShellScript "${name}-session" ''
    Xvnc :0 -SecurityTypes None -rfbport 5900 -geometry 1280x800 &
    until [ -e /tmp/.X11-unix/X0 ]; do sleep 0.1; done
    icewm &
    exec ${start}
  '';
in
pkgs.dockerTools.streamLayeredImage {
  inherit name;
  contents = [ pkgs.dockerTools.fakeNss ];
  extraCommands = ''
    mkdir -m 1777 tmp
    mkdir -m 1777 tmp/.X11-unix
  '';
  config = {
    Entrypoint = [ session ];
    Env = [
      "DISPLAY=:0"
      "HOME=/tmp"
      "FONTCONFIG_FILE=${pkgs.makeFontsConf { fontDirectories = [ pkgs.dejavu_fonts ]; }}"
      "PATH=${
        pkgs.lib.makeBinPath (
          [
            pkgs.coreutils
            pkgs.icewm
            pkgs.tigervnc
          ]
          ++ programs
        )
      }"
    ];
    ExposedPorts."5900/tcp" = { };
    User = "1000:1000";
  };
}
