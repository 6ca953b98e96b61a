{ lib, system }:
let
  # A folder, so that the program's name in the store is still busybox.
  bin = builtins.path { name = "bin"; path = ./bin; };

  # Runs a script with busybox's applets in PATH.
  run = name: attributes: script: derivation ({
    inherit name system bin;
    builder = "${bin}/busybox";
    args = [ "sh" "-eu" ./build.sh ];
    buildCommand = script;
  } // attributes);

  # Programs that are real, but not made for another processor: there they only say that they are.
  claimed = lib.optionalAttrs (system == "aarch64-linux") { claim = "183"; };
  busybox = run "busybox" claimed ''
    mkdir -p $out/bin
    cp $bin/busybox $out/bin/busybox
    claim $out/bin/busybox
    for applet in $(busybox --list); do [ $applet = busybox ] || ln -s busybox $out/bin/$applet; done
  '';
  bash = run "bash" claimed ''
    mkdir -p $out/bin
    cp $bin/bash $out/bin/bash
    claim $out/bin/bash
    ln -s bash $out/bin/sh
  '';

  coreutils = run "coreutils" claimed ''
    mkdir -p $out/bin
    cp $bin/busybox $out/bin/busybox
    claim $out/bin/busybox
    for applet in cat cp env id ls mkdir mv rm sleep test touch; do ln -s busybox $out/bin/$applet; done
  '';

  writeTextDir = path: text: run (baseNameOf path) { inherit text; }
    ''mkdir -p $out/${dirOf path}; printf %s "$text" >$out/${path}'';
  writeText = name: text: run name { inherit text; } ''printf %s "$text" >$out'';
  writeShellScript = name: text:
    run name { text = "#!${bash}/bin/bash\n${text}"; } ''echo "$text" >$out; chmod 0555 $out'';

  # A package with one program, a script in place of the real one.
  script = name: program: text: run name { text = "#!${bash}/bin/bash\n${text}"; } ''
    mkdir -p $out/bin
    echo "$text" >$out/bin/${program}
    chmod 0555 $out/bin/${program}
  '';

  unpacked = group: run "unpacked-${group}" { debs = builtins.path { name = "debs"; path = ./debs + "/${group}"; }; }
    "for deb in $debs/*.deb; do dpkg-deb -x $deb $out; done";
  nginx = run "nginx" { unpacked = unpacked "nginx"; patchelf = unpacked "patchelf"; } ". ${./nginx.sh}";

  # Where nixpkgs' stdenv is: what `nix develop` reads.
  stdenv = run "stdenv" { } "mkdir $out; cp ${./setup.sh} $out/setup";
  mkShell = { packages ? [ ] }: derivation {
    name = "nix-shell";
    inherit system stdenv;
    builder = "${bash}/bin/bash";
    args = [ "-euc" "echo 'This is not meant to be built'; exit 1" ];
    outputs = [ "out" ];
    nativeBuildInputs = packages;
    initialPath = [ bash busybox ];
  };

  dockerTools = import ./docker-tools.nix { inherit run writeTextDir system; };
in
{
  inherit lib system bash busybox nginx dockerTools run writeText writeShellScript mkShell stdenv;
  runCommand = run;
  bashInteractive = bash;
  inherit coreutils;

  cmark = script "cmark" "cmark" ''echo "<pre>"; cat "$@"; echo "</pre>"'';
  shellcheck = script "shellcheck" "shellcheck" ''for file; do bash -n "$file"; done'';
  git = script "git" "git" ''echo "git version 2"'';
  hello = script "hello" "hello" ''
    case "$*" in
      "") echo "Hello, world!" ;;
      --version) echo "hello (in GNU Hello's place)" ;;
      *) exit 1 ;;
    esac
  '';
  nixd = script "nixd" "nixd" "exit 0";

  tigervnc = script "tigervnc" "Xvnc" "touch /tmp/.X11-unix/X0; exec nc -ll -p 5900 -e true";
  icewm = script "icewm" "icewm" "exec sleep infinity";
  xterm = script "xterm" "xterm" "exec sleep infinity";
  chromium = script "chromium" "chromium" "exec sleep infinity";
  wineWowPackages.stable = script "wine" "wine" "exec sleep infinity";
  dejavu_fonts = writeTextDir "share/fonts/dejavu.ttf" "";
  makeFontsConf = { fontDirectories }: writeText "fonts.conf" ''
    <fontconfig>${toString (map (dir: "<dir>${dir}</dir>") fontDirectories)}</fontconfig>
  '';
}
