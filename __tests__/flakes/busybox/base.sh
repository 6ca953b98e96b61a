echo 'an image from a registry' >"$out"
