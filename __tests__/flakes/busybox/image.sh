"$bin/busybox" sh -eu "$archive" "$bin/busybox" "$content" "$architecture" "${command:-}" | "$bin/busybox" "$compressor" >"$out"
