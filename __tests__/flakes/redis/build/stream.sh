"$bin/busybox" cat >"$out" <<END
#!$bin/busybox sh
exec $command $conf
END
"$bin/busybox" chmod 0555 "$out"
