echo 'what the hash says' >"$out"
