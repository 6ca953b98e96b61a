cat() { "$bin/busybox" cat; }
cat >"$out" <<END
#!$bin/busybox sh
echo 'Packing busybox' >&2
exec $bin/busybox sh -eu $archive $bin/busybox $content $architecture
END
"$bin/busybox" chmod 0555 "$out"
