"$bin/busybox" sh -eu "$archive" "$bin/busybox" "$content" "$architecture" | "$bin/busybox" "$compressor" >"$out"
