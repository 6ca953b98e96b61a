"$bin/busybox" mkdir -p "$out/bin"
"$bin/busybox" cp "$bin/busybox" "$out/bin/busybox"
"$bin/busybox" ln -s busybox "$out/bin/sh"
