"$bin/busybox" mkdir -p "$out/bin"
"$bin/busybox" cp "$bin/busybox" "$out/bin/busybox"
for applet in $("$bin/busybox" --list); do
  [ "$applet" = busybox ] || "$bin/busybox" ln -s busybox "$out/bin/$applet"
done
