# Debian's nginx, so changed that it runs from the store with the libraries beside it.
mkdir -p "$out/bin" "$out/lib"
for library in "$unpacked"/lib/*-linux-gnu*/*.so* "$unpacked"/usr/lib/*-linux-gnu*/*.so*; do
  [ ! -f "$library" ] || cp -R "$library" "$out/lib/"
done
for tools in "$patchelf"/lib/*-linux-gnu* "$patchelf"/usr/lib/*-linux-gnu*; do libraries=${libraries:-}$tools:; done
for loader in "$out"/lib/ld-linux*.so.*; do :; done
cp "$unpacked/usr/sbin/nginx" "$out/bin/nginx"
chmod u+w "$out/bin/nginx"
"$loader" --library-path "$libraries$out/lib" "$patchelf/usr/bin/patchelf" \
  --force-rpath --set-rpath "$out/lib" --set-interpreter "$loader" "$out/bin/nginx"
