"$stream" | $compressor >"$out"
