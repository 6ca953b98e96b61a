# All shared libraries in one folder, the dynamic loader among them.
"$bin/busybox" mkdir -p "$out/lib"
for library in "$unpacked"/lib/*-linux-gnu*/*.so* "$unpacked"/usr/lib/*-linux-gnu*/*.so*; do
  [ ! -f "$library" ] || "$bin/busybox" cp -R "$library" "$out/lib/"
done
