{
  description = "Sets of checks, packages and development shells; bin/ is the whole system";

  inputs.nixpkgs.url = "path:./nixpkgs";

  outputs = { self, nixpkgs }:
    let
      bin = builtins.path { name = "bin"; path = ./bin; };
      systems = [ "x86_64-linux" "aarch64-linux" ];
      each = f: builtins.listToAttrs (map (name: { inherit name; value = f name; }) systems);

      run = system: name: attributes: script: derivation ({
        inherit name system;
        PATH = "${bin}";
        builder = "${bin}/busybox";
        args = [ "sh" "-euc" script ];
      } // attributes);

      tool = system: run system "tool" { } "busybox mkdir -p $out/bin; echo 'echo a tool' >$out/bin/tool";

      # As nixpkgs makes them: bash, and a setup script that puts the inputs into PATH.
      stdenv = system: run system "stdenv" { setup = ./setup.sh; } "busybox mkdir $out; busybox cp $setup $out/setup";
      mkShell = system: name: inputs: derivation {
        inherit name system;
        builder = "${bin}/bash";
        args = [ "-euc" "echo 'This is not meant to be built'; exit 1" ];
        outputs = [ "out" ];
        stdenv = stdenv system;
        buildInputs = inputs;
        initialPath = [ bin ];
        shellHook = "echo the hook ran >>hooks";
      };
    in
    {
      packages = each (system: {
        default = tool system;
        tool = tool system;
        two = run system "two" { outputs = [ "out" "dev" ]; } "echo 1 >$out; echo 2 >$dev";
      });

      checks = each (system: {
        unit = run system "check-unit" { tool = tool system; } "cat=$(busybox cat $tool/bin/tool); echo $cat >$out";
        lint = run system "check-lint" { } "echo linted >$out";
        "dotted.name" = run system "check-dotted" { } "echo dotted >$out";
      });

      # Beside derivations what is none.
      jobs = each (system: {
        one = run system "job-one" { } "echo one >$out";
        group = { inner = run system "job-inner" { } "echo inner >$out"; };
        notes = "not a derivation";
      });

      devShells = each (system: {
        default = mkShell system "shell" [ (tool system) ];
        other = mkShell system "other-shell" [ ];
      });

      broken = each (system: {
        good = run system "good" { } "echo good >$out";
        bad = throw "this one is not for you";
      });
      empty = each (system: { });
      formatter = each (system: tool system);
    };
}
