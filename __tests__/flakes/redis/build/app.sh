"$bin/busybox" mkdir -p "$out/bin" "$out/etc"
{
  echo "#!$busybox/bin/sh"
  "$bin/busybox" cat "$src/app.sh"
} >"$out/bin/app"
"$bin/busybox" chmod 0555 "$out/bin/app"
"$bin/busybox" cp "$src/redis.conf" "$out/etc/redis.conf"
