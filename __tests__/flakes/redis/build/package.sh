# The programs of unpacked packages, so changed that they run from the store with the libraries there.
for applet in chmod cp head ln mkdir readlink rm; do
  eval "$applet() { \"\$bin/busybox\" $applet \"\$@\"; }"
done
for loader in "$libs"/lib/ld-linux*.so.*; do :; done
patch() {
  # The old kind of rpath, which also holds for the libraries' own needs.
  "$loader" --library-path "$libs/lib" "$patchelf/usr/bin/patchelf" \
    --force-rpath --set-rpath "$out/lib:$libs/lib" --set-interpreter "$loader" "$1"
}

mkdir -p "$out/bin" "$out/lib"
for library in "$unpacked"/lib/*-linux-gnu*/*.so* "$unpacked"/usr/lib/*-linux-gnu*/*.so*; do
  [ ! -f "$library" ] || cp -R "$library" "$out/lib/"
done
for modules in "$unpacked"/usr/lib/python3*; do
  [ ! -d "$modules" ] || cp -R "$modules" "$out/lib/"
done
for program in "$unpacked"/usr/bin/*; do
  copy=$out/bin/${program##*/}
  if [ -L "$program" ]; then
    cp -R "$program" "$copy"
  elif [ "$(head -c 4 "$program")" = "$(printf '\177ELF')" ]; then
    cp "$program" "$copy"
    chmod u+w "$copy"
    patch "$copy"
  fi
done
for program in "$out"/bin/*; do
  [ -e "$program" ] || rm "$program"
done
for program in "$out"/bin/python3.*; do
  [ ! -f "$program" ] || ln -sf "${program##*/}" "$out/bin/python3"
done
