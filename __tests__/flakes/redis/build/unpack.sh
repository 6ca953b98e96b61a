for deb in "$debs"/*.deb; do
  "$bin/busybox" dpkg-deb -x "$deb" "$out"
done
