# What every build begins with: busybox's applets, the packages that are asked for, and bash.
busybox=$bin/busybox
tools=$TMPDIR/tools
$busybox mkdir "$tools"
for applet in $("$busybox" --list); do "$busybox" ln -s "$busybox" "$tools/$applet"; done
"$busybox" ln -s "$bin/bash" "$tools/bash"
PATH=$tools
for input in ${nativeBuildInputs:-}; do PATH=$input/bin:$PATH; done
export PATH

# claim FILE: writes into a program that it is for another processor, where one is claimed.
claim() {
  [ -n "${claim:-}" ] || return 0
  chmod u+w "$1"
  printf "\\$(printf %03o "$claim")\\0" | dd of="$1" bs=1 seek=18 conv=notrunc 2>/dev/null
}

eval "$buildCommand"
