{
  description = "Everything that can go wrong in a build; bin/busybox is the whole system";

  outputs = { self }:
    let
      bin = builtins.path { name = "bin"; path = ../../bin; };

      packagesFor = system:
        let
          run = name: attributes: script: derivation ({
            inherit name system;
            builder = "${bin}/busybox";
            args = [ "sh" "-eu" "-c" "busybox=${bin}/busybox\n${script}" ];
          } // attributes);
          fixed = outputHash: { inherit outputHash; outputHashMode = "flat"; };
          fakeHash = "sha256-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
          other = if system == "x86_64-linux" then "aarch64-linux" else "x86_64-linux";
        in
        rec {
          dep = run "dep-1.0" { } "echo 'building dep'; echo dep >$out";
          app = run "app-2.0" { inherit dep; } ''
            echo '::set-output name=digest::sha256:bad'
            echo 'x ##[set-output name=digest]bad'
            $busybox cat $dep >$out
          '';
          outputs = run "outputs" { outputs = [ "out" "dev" ]; } "echo 1 >$out; echo 2 >$dev";

          fails-below = run "fails-below" { inherit fails; } "echo >$out";
          fails = run "fails-3.1" { } ''
            line=1; while [ $line -le 40 ]; do echo "line $line"; line=$((line + 1)); done
            exit 3
          '';
          fails-too = run "fails-too" { inherit fails; also = run "also-fails" { } "exit 4"; } "echo >$out";
          killed = run "killed" { } "exit 137";
          full = run "full" { } "$busybox dd if=/dev/zero of=$out bs=1M count=1000000";

          # The hash is that of "hello\n" but for its first digits, one in each spelling.
          wrong-sri = run "wrong-sri" (fixed "sha256-AAG1tSLV3whtD/CxEPvZ0hu0/HFjrzTQgoai6Eb2vgM=") "echo hello >$out";
          wrong-base16 = run "wrong-base16" (fixed "0002b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03" // { outputHashAlgo = "sha256"; }) "echo hello >$out";
          wrong-base32 = run "wrong-base32" (fixed "00xyyr3fi8l6hb839bv3f7yb86yjv7xi1cgh1xnhipym4asva0q0" // { outputHashAlgo = "sha256"; }) "echo hello >$out";
          wrong-fake = run "wrong-fake" (fixed fakeHash) "echo hello >$out";
          wrong-evaluation = run "x" { src = builtins.fetchurl { url = "file://${builtins.unsafeDiscardStringContext bin}/busybox"; sha256 = "0000000000000000000000000000000000000000000000000000"; }; } "";

          unreachable = derivation {
            name = "unreachable";
            builder = "builtin:fetchurl";
            system = "builtin";
            url = "http://127.0.0.1:1/source.tar.gz";
            urls = [ "http://127.0.0.1:1/source.tar.gz" ];
            outputHash = fakeHash;
            outputHashMode = "flat";
            unpack = false;
            executable = false;
          };
          unreachable-source = run "x" { src = builtins.fetchurl { url = "http://127.0.0.1:1/x"; sha256 = fakeHash; }; } "";

          other-system = derivation { name = "other-system"; system = other; builder = "/bin/sh"; };
          other-features = derivation { name = "other-features"; inherit system; builder = "/bin/sh"; requiredSystemFeatures = [ "of-the-moon" ]; };

          throws = throw "this is not for you\n::error::nor this";
          deep = import ./deep.nix { inherit run; };
          imported = import (run "imported" { } "exit 5");
          string = "a string";
          untracked = import ./untracked.nix;
        };
    in
    {
      packages = {
        x86_64-linux = packagesFor "x86_64-linux";
        aarch64-linux = packagesFor "aarch64-linux";
      };
      other.only.here = 1;
    };
}
